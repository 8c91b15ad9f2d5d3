"""Lets kata-check look at every transaction before dnf 4 changes anything.

The packages that come and go are handed on as one JSON document. Only status 10 and 11 (a mismatch, or not to be determined where
the policy blocks on that) stop dnf; when kata-check is gone, hangs, or fails itself, dnf goes on. It says what it has to say on
standard error itself.
"""

import json
import logging
import os
import signal
import subprocess

import dnf
import dnf.exceptions
import dnf.transaction
import libdnf.conf

PROGRAM = '/usr/bin/kata-check'
# Seconds, as `timeout` in the section [main] of /etc/dnf/plugins/kata-check.conf. kata-check ends by itself before that (`deadline` in
# /etc/kata-check.conf, 20 at first); this is for when it does not.
TIMEOUT = 60

logger = logging.getLogger('dnf')


def action_names():
    constants = vars(dnf.transaction)
    names = ('INSTALL', 'DOWNGRADE', 'DOWNGRADED', 'OBSOLETE', 'OBSOLETED', 'UPGRADE', 'UPGRADED', 'REMOVE', 'REINSTALL', 'REINSTALLED')
    return {constants['PKG_' + name]: name for name in names if 'PKG_' + name in constants}


def description(base, stage):
    names = action_names()
    packages = []
    for item in base.transaction:
        name = names.get(item.action)
        if name is None:
            continue
        package = item.pkg
        told = {'action': name, 'name': package.name, 'evr': package.evr, 'arch': package.arch}
        if not package._from_system:
            path = package.localPkg()
            told['path'] = os.path.abspath(path) if path and os.path.exists(path) else None
            told['provides'] = [text for text in map(str, package.provides) if text.startswith('kata-agent')]
        packages.append(told)
    return {'installroot': base.conf.installroot, 'packages': packages, 'stage': stage}


def environment():
    """Nothing that changes how programs start; what speaks to kata-check, and of the terminal."""
    passed = {name: value for name, value in os.environ.items() if name.startswith('KATA_') or name in ('NO_COLOR', 'TERM')}
    passed['PATH'] = '/usr/sbin:/usr/bin:/sbin:/bin'
    return passed


def on_broken_pipe(handler):
    try:
        return signal.signal(signal.SIGPIPE, handler) if handler is not None else None
    except ValueError:
        # Only the first thread may.
        return None


def ask(document, timeout):
    """The status of kata-check; None when it did not end in time."""
    # dnf lets a broken pipe end itself, and kata-check need not read all that it is told.
    before = on_broken_pipe(signal.SIG_IGN)
    program = subprocess.Popen(
        [PROGRAM, 'hook', 'dnf'], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd='/', env=environment(), start_new_session=True
    )
    try:
        program.communicate(document, timeout)
        return program.returncode
    except subprocess.TimeoutExpired:
        return None
    finally:
        # Whatever ends this, an interrupt too: nothing of it stays behind.
        try:
            os.killpg(program.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        program.wait()
        on_broken_pipe(before)


class KataCheck(dnf.Plugin):
    name = 'kata-check'

    def __init__(self, base, cli):
        super(KataCheck, self).__init__(base, cli)
        self.base = base
        self.cli = cli
        self.timeout = TIMEOUT

    @classmethod
    def read_config(cls, conf):
        # dnf reads the file, too, before it loads the plugin, and would end in each run where it cannot be parsed. `config` tells of that.
        try:
            return super(KataCheck, cls).read_config(conf)
        except dnf.exceptions.Error:
            return libdnf.conf.ConfigParser()

    def config(self):
        # A mistake in this file must not cost more than a line: dnf would print a traceback in each run.
        try:
            parser = super(KataCheck, self).read_config(self.base.conf)
            if parser.has_option('main', 'timeout'):
                self.timeout = max(1, int(parser.get('main', 'timeout')))
        except (ValueError, RuntimeError, dnf.exceptions.Error) as error:
            reason = ' '.join(str(error).split())
            logger.warning('kata-check: its configuration among the plugins of dnf is not used: %s', reason)

    def resolved(self):
        # What is only downloaded now, and installed when the machine starts again, does not come to pre_transaction while a person is there.
        if self.base.conf.downloadonly or 'test' in self.base.conf.tsflags:
            self.look('planned')

    def pre_transaction(self):
        self.look('offline' if self.is_offline() else 'now')

    def is_offline(self):
        """Whether this installs what system-upgrade has downloaded before the machine was started again."""
        options = getattr(getattr(self.cli, 'command', None), 'opts', None)
        command = getattr(options, 'command', None)
        words = getattr(options, 'tid', None) or []
        return command in ('system-upgrade', 'offline-upgrade', 'offline-distrosync', 'fedup') and 'upgrade' in words

    def look(self, stage):
        if not os.access(PROGRAM, os.X_OK) or not self.base.transaction:
            return
        document = json.dumps(description(self.base, stage)).encode('utf-8', 'surrogateescape')
        status = ask(document, self.timeout)
        if status in (10, 11):
            raise dnf.exceptions.Error('stopped by kata-check: see above')
        if status is None:
            logger.warning('kata-check did not end within %d seconds; dnf goes on without it', self.timeout)
        elif status < 0:
            logger.warning('kata-check was ended by signal %d; dnf goes on without it', -status)
