/**
 * What a runtime may do that an agent may not understand: the form of a row. The rows are data and nothing else: calls.ts, operations.ts,
 * drivers.ts and meanings.ts.
 *
 * Each row was read in Kata's sources, at the lines that `sources` names (REPOSITORY@TAG:PATH:LINE, of github.com/kata-containers). A pair
 * of a runtime and an agent meets a row if the runtime's release is in the span of its language and the agent's is in `lacks`. Which of the
 * rows that a pair meets matter on a node is decided in reach.ts.
 */

export type Kind = 'call' | 'driver' | 'option' | 'meaning' | 'message' | 'transport' | 'path';

/** What fails. `engine`: what a container engine does by itself, as pausing; `operation`: what only Kata's own tools or a CSI driver do. */
export type Effect = 'pod' | 'container' | 'degraded' | 'engine' | 'operation' | 'ignored';

export type Value = string | number | boolean;

/**
 * What must hold for a configuration. `key` is SECTION.NAME, where `hypervisor` stands for the section of the hypervisor in use;
 * the name of a snapshotter begins with `snapshotter`; `hypervisor` and `architecture` are this.
 */
export type Term =
  | { readonly key: string; readonly is: Value }
  | { readonly key: string; readonly not: Value }
  | { readonly key: string; readonly above: number }
  | { readonly hypervisor: string }
  | { readonly snapshotter: string }
  | { readonly architecture: string };

export interface Row {
  readonly id: string;
  readonly kind: Kind;
  readonly name: string;
  /** Releases of the runtimes that do it: FROM..BEFORE, where nothing behind the dots is no end. Absent: never. */
  readonly go?: string;
  readonly rust?: string;
  /** Agents that do not understand it: ranges as "<1.9.0 || >=2.0.0 <2.2.0". */
  readonly lacks: string;
  /** The end of a sentence: "called when ...". */
  readonly when: string;
  readonly effect: Effect;
  /** Alternatives, each of which needs all its terms. Absent: no setting switches it. */
  readonly where?: readonly (readonly Term[])[];
  /** The pods that meet it, where the settings let them; `most`: nearly every node has such pods. Absent: all of them. */
  readonly pods?: string;
  readonly share?: 'most' | 'few';
  /** What a person or a program does to meet it. */
  readonly byHand?: string;
  /** What is seen then. */
  readonly error?: string;
  readonly sources: readonly string[];
}
