/**
 * One guest image, whatever its form: what it is, which agent it holds, or what is wrong with it.
 */

import { Problem, type ProblemKind, Unsupported } from '../errors.ts';
import type { File, Host } from '../host/host.ts';
import { resolvePath } from '../host/rooted.ts';
import { type Agent, type AgentOptions, agentPaths, findAgent, summaryPath } from './agent.ts';
import { isInitrd, openInitrd } from './cpio.ts';
import type { CompressionName } from './decompress.ts';
import { findFileSystem, readLayout } from './disk.ts';
import type { FileSystem } from './filesystem.ts';
import { Budget, Source } from './source.ts';

export interface ImageFacts {
  /** As the configuration or the caller names it. */
  readonly path: string;
  /** Its symlinks followed. */
  readonly resolvedPath: string;
  readonly form: 'disk' | 'initrd' | null;
  readonly table: 'mbr' | 'gpt' | 'none' | null;
  readonly dax: boolean | null;
  /** How many the table holds. */
  readonly partitions: number | null;
  /** The number of the one that was read. */
  readonly partition: number | null;
  /** Where the filesystem begins, in bytes. */
  readonly offset: number | null;
  readonly filesystem: FileSystem['type'] | null;
  readonly compression: CompressionName | null;
  readonly agent: Agent | null;
  readonly kind: 'guest' | 'extension';
  /** Why the agent's version is not known though the image could be read; else null. */
  readonly unknown: string | null;
  /** The agent as its binary has it, when that was read and names another version than the summary. */
  readonly contradiction: Agent | null;
  /** Why the version in the agent's binary, which was asked for, is not known though the summary names one; else null. */
  readonly unchecked: string | null;
  readonly notes: readonly string[];
  readonly problem: { readonly kind: ProblemKind; readonly message: string } | null;
}

const nothing = {
  form: null,
  table: null,
  dax: null,
  partitions: null,
  partition: null,
  offset: null,
  filesystem: null,
  compression: null,
  agent: null,
  kind: 'guest',
  unknown: null,
  contradiction: null,
  unchecked: null,
  notes: [],
  problem: null,
} as const;

export interface ReadOptions extends AgentOptions {
  /** Milliseconds on the host's clock. */
  readonly deadline: number;
}

/** The fixed header of the Independent Guest Virtual Machine format begins with its name. */
function isIgvm(source: Source): boolean {
  return source.length >= 4 && source.read(0, 4, 'first bytes').latin1(0, 4) === 'IGVM';
}

/** Never throws for what the image is or is not: that is its `problem`. */
export async function readImage(host: Host, path: string, options: ReadOptions): Promise<ImageFacts> {
  let resolvedPath = path;
  let file: File;
  try {
    resolvedPath = resolvePath(host, '', path);
    file = host.open(resolvedPath);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { ...nothing, path, resolvedPath, problem: { kind: error.kind, message: error.message } };
  }
  try {
    return await readOpenImage(host, file, path, resolvedPath, options);
  } finally {
    file.close();
  }
}

/** Of what is a guest image, and yet has neither summary nor agent. */
export const withoutAgent = {
  kind: 'guest',
  unknown: `it holds no agent, which would be ${agentPaths.join(' or ')}`,
} as const;

/** Of a file that is open: its own path is no matter. Likewise. */
export async function readOpenImage(
  host: Host,
  file: File,
  path: string,
  resolvedPath: string,
  options: ReadOptions,
): Promise<ImageFacts> {
  let facts: ImageFacts = { ...nothing, path, resolvedPath };
  try {
    const source = new Source(file, new Budget(host, options.deadline));
    if (source.length === 0) throw new Unsupported(`${path} is empty`);
    if (isInitrd(source)) {
      facts = { ...facts, form: 'initrd' };
      const { filesystem, compression, stream } = await openInitrd(host, source, [summaryPath]);
      facts = { ...facts, compression, notes: filesystem.notes };
      const found = await findAgent(filesystem, source.budget, options, stream);
      // A machine starts from it: it can be no extension image, which is a disk beside the one that it starts from.
      return { ...facts, ...found, ...(found.kind === 'extension' ? withoutAgent : {}) };
    }
    if (isIgvm(source)) throw new Unsupported(`${path}: an IGVM file, whose guest is not read`);
    const layout = readLayout(source);
    facts = { ...facts, form: 'disk', table: layout.table, dax: layout.dax, partitions: layout.partitions.length };
    const found = findFileSystem(source, layout);
    if (found === undefined) {
      // Encrypted, so that it has no mark of its own; its name is genprotimg's caller's, Kata's.
      if (/\/kata-containers-se[^/]*\.img$/.test(path)) {
        throw new Unsupported(`${path}: an image for IBM Secure Execution, which is encrypted`);
      }
      const where = layout.table === 'none' ? 'it' : `any of its ${layout.partitions.length} partitions`;
      throw new Unsupported(`${path}: no ext4, xfs or erofs filesystem in ${where}`);
    }
    facts = { ...facts, partition: found.partition?.number ?? null, offset: found.offset };
    const filesystem = await found.open();
    facts = { ...facts, filesystem: filesystem.type, notes: filesystem.notes };
    return { ...facts, ...(await findAgent(filesystem, source.budget, options)) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    // The image is there: what was not found then is the program that decompresses it.
    const kind = error.kind === 'not-found' ? 'unsupported' : error.kind;
    return { ...facts, problem: { kind, message: error.message } };
  }
}
