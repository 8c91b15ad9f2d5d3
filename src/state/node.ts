/**
 * The model of a node after a transaction: runtimes, images, configurations and what else the verdict depends on. Types, and the pure
 * predicates on them; nothing here reads the node.
 */

import type { Builder } from '../locate/builders.ts';
import type { Measured } from '../locate/measured.ts';
import type { Unread } from '../locate/toml.ts';
import type { Description } from '../protocol/descriptors.ts';
import type { Known } from '../protocol/reach.ts';
import type { Language, Settings } from '../protocol/settings.ts';
import type { Agent } from '../read/agent.ts';
import type { ImageFacts } from '../read/image.ts';
import type { Version, VersionRange } from '../version.ts';

/** Which agents a runtime works with, and who says so. */
export interface Requirement {
  readonly range: VersionRange;
  readonly source: string;
  /** The policy's rule, and not something that was declared for this runtime. */
  readonly isRule: boolean;
  /** The protocol's history speaks, pair by pair; what it does not tell is up to this, the policy's rule. */
  readonly otherwise?: Requirement;
}

/** The `source` of a runtime that is not there. */
export const noSource = 'none';

/** A runtime as it will be after the transaction. */
export interface Runtime {
  readonly name: string;
  /** As its package or program writes it; null when unknown. */
  readonly versionText: string | null;
  readonly version: Version | undefined;
  readonly isIncoming: boolean;
  /** Where the version is from: a package, a path. */
  readonly source: string;
  /** Below which directory it and its packaged configuration are installed, as /usr; null when unknown. */
  readonly prefix: string | null;
  /** The Go and the Rust runtime below one prefix read different configurations; null when unknown, or for both. */
  readonly language: 'go' | 'rust' | null;
  /** Why the version may be wrong; null when it is certain. */
  readonly versionDoubt: string | null;
  /** What the program itself says of the agent protocol; null when it says nothing, or was not asked as no agent says anything. */
  readonly description: Description | null;
  /** Who says the version: a package, the program, `--version`, a file; null when nobody does. */
  readonly versionSource: string | null;
  readonly requirement: Requirement | null;
  /** Why there is no requirement; null when there is one. */
  readonly requirementProblem: string | null;
  /** The version that is replaced, to name what can be kept. */
  readonly replaces: string | null;
  /** Its package is on hold, so that no upgrade changes it. */
  readonly isHeld?: boolean;
}

/** A configuration that names an image, and the runtimes that read it; null for any. */
export interface User {
  readonly path: string;
  readonly prefix: string | null;
  readonly language: 'go' | 'rust' | null;
  /** The drop-in that names it; undefined for the configuration itself. */
  readonly namedIn?: string | undefined;
}

/** A configuration of Kata on this node. */
export interface Configuration {
  readonly path: string;
  readonly resolvedPath: string;
  readonly readers: readonly Omit<User, 'path'>[];
  /** As "containerd, handler kata-qemu"; null for one that is read by default. */
  readonly namedBy: string | null;
  readonly dropIns: readonly string[];
  readonly images: readonly { readonly path: string }[];
  /** The remote hypervisor's guest image is not on this node. */
  readonly isRemote: boolean;
  readonly maskedBy: string | null;
}

/** A guest image as it will be after the transaction. */
export interface Image {
  readonly facts: ImageFacts;
  /** What its agent itself says of the protocol; null when it says nothing. */
  readonly description: Description | null;
  /** Configurations that name it. */
  readonly usedBy: readonly User[];
  /** The package that owns or brings it. */
  readonly package: string | null;
  /** It comes with the transaction. */
  readonly incoming: {
    readonly package: string;
    /** What the package states of its agent. */
    readonly versionText: string | null;
    /** What it states, else what was read. */
    readonly version: Version | undefined;
    /** The facts are of the image in the package, and not of the one that it replaces. */
    readonly isRead: boolean;
    /** Why nothing was stated and nothing read; null when something was. */
    readonly problem: string | null;
  } | null;
  /** The package that takes it away. */
  readonly removedBy: string | null;
  /** This package stays, and comes with another image: a configuration that stays, too, names what is gone then. */
  readonly isLeftNamed?: boolean;
  /** Its package is on hold, so that no upgrade changes it. */
  readonly isHeld?: boolean;
  /** What built it on this node, and can do so again. */
  readonly builder?: Builder;
  /** It was there, and the transaction brings the configuration that names it. */
  readonly isNamedAnew?: boolean;
  /** The package that makes it anew on the node, so that what is there now says nothing of what will be; null for every other image. */
  readonly rebuiltBy: string | null;
}

/** What is known of the node's configurations. */
export interface Reading {
  /** Those that something reads. */
  readonly configurations: readonly { readonly settings: Settings; readonly readers: readonly Omit<User, 'path'>[] }[];
  /** Of the runtimes that are installed; both where none is. */
  readonly languages: readonly Language[];
  readonly architecture: string | null;
}

export interface State {
  readonly runtimes: readonly Runtime[];
  readonly images: readonly Image[];
  readonly configurations: readonly Configuration[];
  /** Configurations that could not be read, of Kata and of those that name them: each message says where. */
  readonly unread: readonly Unread[];
  /** The package manager that was stopped, for commands to copy; null by hand. */
  readonly manager: string | null;
  /** What it was called with, its program first; null by hand, and where that is not known. */
  readonly commandLine: readonly string[] | null;
  /** Judge only what the transaction changes: an old mismatch between two things that both stay is no reason to stop it. */
  readonly onlyChanges: boolean;
  /** The packages that come are named by the user, and not by a package manager. */
  readonly isByHand?: boolean;
  /** The packages of the transaction: those of Kata by their names, and how many others wait when it is stopped; null by hand. */
  readonly changing: { readonly kata: readonly string[]; readonly others: number } | null;
  /** What runs now; null where that cannot be told, as below another root. */
  readonly sandboxes: { readonly running: number; readonly ids: readonly string[] } | null;
  readonly reading: Reading;
  /** The protocol's tables. */
  readonly known: Known;
  /** Measured images, as configured and as they are. */
  readonly measured: readonly Measured[];
}

/** Of a transaction that does not concern Kata. */
export const nothing: State = {
  runtimes: [],
  images: [],
  configurations: [],
  unread: [],
  manager: null,
  commandLine: null,
  onlyChanges: true,
  changing: null,
  sandboxes: null,
  measured: [],
  reading: { configurations: [], languages: [], architecture: null },
  // Nothing is asked of the tables, and they are not loaded for it.
  known: { rows: [], lastMinors: new Map() },
};

/** The image has the root hash that it must have. */
export function isAsMeasured({ expected, actual, problem }: Measured): boolean {
  return problem === null && expected !== null && expected === actual;
}

/** What is asked of the image by a configuration that this runtime reads, or by a file, for all. */
export function isMeasuredFor(measured: Measured, runtime: Runtime, image: Image): boolean {
  return (
    measured.image === image.facts.path &&
    (!measured.isConfigured || image.usedBy.some((user) => user.path === measured.source && readsAs(runtime, user)))
  );
}

function readsAs(runtime: Runtime, { prefix, language }: User): boolean {
  return fits(prefix, runtime.prefix) && fits(language, runtime.language);
}

/** Whether there is a runtime: where there is none, one of unknown version stands for whatever may read the images. */
export function hasRuntime({ runtimes }: State): boolean {
  return runtimes.some(({ source }) => source !== noSource);
}

/** Runtime and guest image change together. */
export function changesBoth({ runtimes, images }: State): boolean {
  return runtimes.some(({ isIncoming }) => isIncoming) && images.some((image) => isNew(image) && !image.isNamedAnew);
}

/** Of two prefixes, or two languages: what is not known is any. */
export function fits(one: string | null, other: string | null): boolean {
  return one === null || other === null || one === other;
}

/** A runtime reads only what belongs to its prefix and language; what is not known belongs to all. */
export function belongsTogether(runtime: Runtime, image: Image): boolean {
  return image.usedBy.length === 0 || image.usedBy.some((user) => readsAs(runtime, user));
}

/** Runtime and image are used together, and, in a transaction, one of them changes. */
export function isJudged(state: State, runtime: Runtime, image: Image): boolean {
  return (
    belongsTogether(runtime, image) &&
    (!state.onlyChanges || runtime.isIncoming || isNew(image) || image.removedBy !== null)
  );
}

/** It comes in, or is made or named by what comes in. */
export function isNew({ incoming, rebuiltBy, isNamedAnew = false }: Image): boolean {
  return incoming !== null || rebuiltBy !== null || isNamedAnew;
}

/** A runtime or an image comes in. */
export function isChanged({ runtimes, images }: State): boolean {
  return runtimes.some(({ isIncoming }) => isIncoming) || images.some(isNew);
}

/** Another agent than the one that counts, by who names it: the binary beside the summary, or the image beside what its package states. */
export function contradictionOf({ facts, incoming }: Image): Agent | null {
  if (incoming === null || (incoming.isRead && incoming.versionText === null)) return facts.contradiction;
  const { isRead, version } = incoming;
  if (!isRead || version === undefined) return null;
  const known = [facts.agent, facts.contradiction];
  return known.find((agent) => agent !== null && agent.version.order !== version.order) ?? null;
}

/** What can be said of an image's agent. */
export type ImageCondition =
  | {
      readonly is:
        | 'removed'
        | 'made anew'
        | 'without an agent'
        | 'unread in its package'
        | 'missing'
        | 'unreadable'
        | 'without a version';
    }
  | { readonly is: 'known'; readonly agent: Version };

/** The worst of what holds comes first: of an image that goes away it does not matter whether it can be read. */
export function conditionOf({ facts, incoming, removedBy, rebuiltBy }: Image): ImageCondition {
  if (removedBy !== null) return { is: 'removed' };
  if (rebuiltBy !== null) return { is: 'made anew' };
  // What comes in the place of an extension image and could not be read is taken for one, too.
  if (facts.kind === 'extension' && incoming?.version === undefined && (facts.problem === null || incoming !== null))
    return { is: 'without an agent' };
  if (incoming !== null) {
    return incoming.version === undefined ? { is: 'unread in its package' } : { is: 'known', agent: incoming.version };
  }
  if (facts.problem !== null) return { is: facts.problem.kind === 'not-found' ? 'missing' : 'unreadable' };
  return facts.agent === null ? { is: 'without a version' } : { is: 'known', agent: facts.agent.version };
}
