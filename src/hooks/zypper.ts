/**
 * The conversation with libzypp, which starts every program in /usr/lib/zypp/plugins/commit for a commit (libzypp, PluginScript and
 * PluginExecutor): frames of a command, headers, an empty line, a body and a zero byte, each of which wants an `ACK` within 30 seconds.
 *
 *     PLUGINBEGIN, COMMITBEGIN, COMMITEND, PLUGINEND, _DISCONNECT
 *
 * COMMITBEGIN comes before anything is fetched or changed, with `{"TransactionStepList": [{"type": "+", "solvable": {"n": "kata-runtime",
 * "v": "3.5.0", "r": "1", "a": "x86_64"}}]}`: `+` comes in, `-` goes, `M` comes in beside another version; an epoch is told as `e` when
 * there is one. What was installed before and where the packages are is not told. No answer stops the commit. Commits below another
 * root have no plugins.
 */

import type { Report } from '../check.ts';
import { Corrupt } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { fromLatin1, latin1, utf8 } from '../read/bytes.ts';
import { inputLimit, type PackageChange, type Transaction } from '../state/transaction.ts';
import { understood } from './changes.ts';

export interface Frame {
  readonly command: string;
  readonly body: string;
}

/** Frame by frame until the end; a last one without its zero byte does not count. Throws LimitExceeded, Io. */
export async function* readFrames(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Frame> {
  let parts: string[] = [];
  for await (const piece of pieces) {
    const [first = '', ...others] = latin1(piece).split('\0');
    parts.push(first);
    for (const other of others) {
      yield parseFrame(parts.join(''));
      parts = [other];
    }
  }
}

function parseFrame(frame: string): Frame {
  // Between two frames there may be line ends.
  const text = frame.replace(/^\n+/, '');
  const end = text.indexOf('\n\n');
  const head = end === -1 ? text : text.slice(0, end);
  const body = end === -1 ? '' : text.slice(end + 2);
  return { command: head.split('\n', 1)[0]?.trim() ?? '', body: utf8(fromLatin1(body)) ?? body };
}

/** Of a COMMITBEGIN. Throws Corrupt, which names the place. */
export function parseCommit(body: string): Transaction {
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    throw new Corrupt("zypper's commit is no JSON document");
  }
  const steps = field(document, 'TransactionStepList');
  if (!Array.isArray(steps)) throw new Corrupt("zypper's commit: TransactionStepList is no list");
  const { rows: changes, ...mistakes } = understood(steps, (step, index): PackageChange[] => {
    const type = field(step, 'type');
    // Patches and patterns, and what only is in the way: nothing happens on the disk.
    if (type !== '+' && type !== '-' && type !== 'M') return [];
    const solvable = field(step, 'solvable');
    const [name, version, release, epoch] = ['n', 'v', 'r', 'e'].map((key) => field(solvable, key));
    if (typeof name !== 'string' || name === '' || typeof version !== 'string') {
      throw new Corrupt(`zypper's commit: TransactionStepList[${index}].solvable has no name or no version`);
    }
    const known = `${epoch === undefined || `${epoch}` === '0' ? '' : `${epoch}:`}${version}${typeof release === 'string' ? `-${release}` : ''}`;
    return [
      type === '-'
        ? { name, oldVersion: known, newVersion: null, action: 'remove', archive: null }
        : { name, oldVersion: null, newVersion: known, action: 'unpack', archive: null },
    ];
  });
  return { manager: 'zypper', root: '', changes, mode: null, allow: [], ...mistakes };
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

/**
 * Yields what is about to be done, and that it is done, and answers when it has been judged: then it knows more, as the packages are fetched
 * between the two. Ends when libzypp does. Throws Corrupt, LimitExceeded, Io.
 */
export async function* zypperCommits(host: Host): AsyncGenerator<Transaction> {
  // A commit takes as long as its packages do; libzypp closes the pipe when it ends, however it ends.
  for await (const { command, body } of readFrames(host.input(0, inputLimit, Number.POSITIVE_INFINITY))) {
    if (command === 'COMMITBEGIN') yield parseCommit(body);
    if (command === 'COMMITEND')
      yield { manager: 'zypper', root: '', changes: [], mode: null, allow: [], isDone: true };
    host.write(1, 'ACK\n\n\0');
    if (command === '_DISCONNECT') return;
  }
}

/**
 * Whether rpm's triggers are to keep silent below zypper. They see one package at a time, which is right where only one changes, and what
 * they say is on the screen, whereas this is in zypper's log alone; but where runtime and image come or go together, they would see the one
 * that is done and the other one that is not yet.
 */
export function isForZypperAlone({ state, findings }: Report): boolean {
  return (state.changing?.kata.length ?? 0) > 1 && !findings.some(({ code }) => code.startsWith('KC10'));
}
