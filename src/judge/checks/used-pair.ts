/**
 * A runtime and an image that are used together, and what several checks ask of the two: it is found out once, and where one of them asks.
 */

import { type Reach, reach } from '../../protocol/reach.ts';
import { conditionOf, type Image, isJudged, type Runtime, type State } from '../../state/node.ts';
import { type Reads, readsOf } from '../../state/reading.ts';
import type { Version } from '../../version.ts';
import type { Code, Finding } from '../findings.ts';
import type { Policy } from '../policy.ts';

export class UsedPair {
  readonly runtime: Runtime;
  readonly image: Image;
  readonly state: State;
  #reads: Reads | undefined;
  #asked = false;
  #reach: Reach | undefined;

  constructor(state: State, runtime: Runtime, image: Image) {
    this.state = state;
    this.runtime = runtime;
    this.image = image;
  }

  /** Undefined where it is not known. */
  get agent(): Version | undefined {
    const condition = conditionOf(this.image);
    return condition.is === 'known' ? condition.agent : undefined;
  }

  /** The configurations that are read with this image. */
  get reads(): Reads {
    this.#reads ??= readsOf(this.state.reading, this.runtime, this.image);
    return this.#reads;
  }

  /** Undefined where a version is not known, and where the protocol's tables do not tell. */
  get reach(): Reach | undefined {
    if (!this.#asked) {
      this.#asked = true;
      const { agent, reads } = this;
      const { version } = this.runtime;
      if (version !== undefined && agent !== undefined) {
        this.#reach = reach(version, agent, reads.readers, reads.isSure, this.state.known);
      }
    }
    return this.#reach;
  }
}

/** By runtimes, then by images. */
export function usedPairs(state: State): UsedPair[] {
  return state.runtimes.flatMap((runtime) =>
    state.images.filter((image) => isJudged(state, runtime, image)).map((image) => new UsedPair(state, runtime, image)),
  );
}

export interface PairCheck {
  /** The findings that it can make. */
  readonly codes: readonly Code[];
  examine(pair: UsedPair, policy: Policy): readonly Finding[];
}
