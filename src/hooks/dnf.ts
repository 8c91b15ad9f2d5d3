/**
 * What the plugin for dnf 4 (hooks/dnf4/kata_check.py) tells before a transaction: one JSON document.
 *
 *     { "installroot": "/", "packages": [
 *       { "action": "UPGRADE", "name": "kata-runtime", "evr": "3.5.0-1", "arch": "x86_64", "path": "/var/cache/dnf/….rpm",
 *         "provides": ["kata-agent-requires(min) = 3.4.0"] },
 *       { "action": "UPGRADED", "name": "kata-runtime", "evr": "3.2.0-1", "arch": "x86_64" } ], "stage": "now" }
 *
 * Actions are named as libdnf names them (dnf/transaction.py). `path` is absolute, or null or absent where dnf has no file;
 * `provides` need only be those of Kata. `stage`: `planned` where the packages are only downloaded now, `offline` where those are
 * installed that were downloaded before the machine was started again. Keys that are not known here are ignored, so that plugin and program may be of different releases.
 */

import { Corrupt } from '../errors.ts';
import { type Host, readAll } from '../host/host.ts';
import { latin1, utf8 } from '../read/bytes.ts';
import { inputLimit, type Transaction } from '../state/transaction.ts';
import { belowARoot, changesOf, type Row, rootOf, understood } from './changes.ts';
import { withReachable } from './file-names.ts';

const what = "dnf's transaction";

const actions: Readonly<Record<string, Row['direction'] | 'neither'>> = {
  INSTALL: 'in',
  DOWNGRADE: 'in',
  UPGRADE: 'in',
  REINSTALL: 'in',
  OBSOLETE: 'in',
  DOWNGRADED: 'out',
  UPGRADED: 'out',
  REINSTALLED: 'out',
  OBSOLETED: 'out',
  REMOVE: 'out',
  REASON_CHANGE: 'neither',
};

/** A package of no known form is left out, and told. Throws Corrupt, which names the place. */
export function parseDnfTransaction(input: string): Transaction {
  const document = record(parseJson(input), 'it');
  const installroot = text(document.installroot, 'installroot');
  if (!installroot.startsWith('/')) throw new Corrupt(`${what}: installroot is not absolute: ${installroot}`);
  const { packages } = document;
  if (!Array.isArray(packages)) throw new Corrupt(`${what}: packages is no list`);
  const { rows, ...mistakes } = understood(packages, (entry, index): Row[] => {
    const place = `packages[${index}]`;
    const fields = record(entry, place);
    const action = text(fields.action, `${place}.action`);
    const direction = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (direction === undefined) throw new Corrupt(`${what}: ${place}.action is none that is known: ${action}`);
    if (direction === 'neither') return [];
    return [
      {
        direction,
        name: text(fields.name, `${place}.name`),
        arch: text(fields.arch, `${place}.arch`),
        evr: text(fields.evr, `${place}.evr`),
        archive: direction === 'in' ? archive(fields.path, `${place}.path`) : null,
        provides: direction === 'in' ? provides(fields.provides, `${place}.provides`) : null,
      },
    ];
  });
  const { stage } = document;
  return {
    manager: 'dnf',
    root: rootOf(installroot),
    changes: changesOf(rows),
    ...mistakes,
    mode: null,
    allow: [],
    ...(stage === 'planned' && { isPlanned: true }),
    ...(stage === 'offline' && { isPart: true }),
  };
}

function parseJson(input: string): unknown {
  try {
    return JSON.parse(input);
  } catch {
    throw new Corrupt(`${what} is no JSON document`);
  }
}

function record(value: unknown, place: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Corrupt(`${what}: ${place} is no object`);
  }
  return value as Readonly<Record<string, unknown>>;
}

function text(value: unknown, place: string): string {
  if (typeof value !== 'string' || value === '') throw new Corrupt(`${what}: ${place} is no text`);
  return value;
}

function archive(value: unknown, place: string): string | null {
  if (value === undefined || value === null) return null;
  const path = text(value, place);
  if (!path.startsWith('/')) throw new Corrupt(`${what}: ${place} is not absolute: ${path}`);
  return path;
}

function provides(value: unknown, place: string): string[] | null {
  if (value === undefined || value === null) return null;
  if (!Array.isArray(value)) throw new Corrupt(`${what}: ${place} is no list`);
  return value.map((entry: unknown, index) => text(entry, `${place}[${index}]`));
}

/** Throws as `readAll`, and as `parseDnfTransaction`. */
export async function dnfTransaction(host: Host, deadline: number): Promise<Transaction | null> {
  const bytes = await readAll(host, 0, inputLimit, deadline);
  const told = parseDnfTransaction(utf8(bytes) ?? latin1(bytes));
  return belowARoot(host, { ...told, changes: told.changes.map((change) => withReachable(host, change)) });
}
