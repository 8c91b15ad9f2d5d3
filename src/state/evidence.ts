/**
 * What programs say of the agent protocol by themselves, collected while packages and images are read.
 */

import type { Observers } from '../archive/incoming.ts';
import { type Description, DescriptorSearch } from '../protocol/descriptors.ts';
import type { Observer } from '../read/agent.ts';

/** A runtime's program, by its name: kata-runtime, and the shims for containerd. */
const runtimeName = /\/(?:kata-runtime|containerd-shim-kata[A-Za-z0-9_-]*-v2)$/;

/** What was found in some programs that passed one after the other. */
export class Descriptions {
  readonly #found: (Description | null)[] = [];
  #search: DescriptorSearch | null = null;

  /** For the next program. */
  observe(): Observer {
    this.#end();
    this.#search = new DescriptorSearch();
    return this.#search;
  }

  /** For the next one, if it is a runtime. */
  observeRuntime(place: string): Observer | undefined {
    return runtimeName.test(place) ? this.observe() : undefined;
  }

  /** What one of them says; null when none says anything. */
  any(): Description | null {
    this.#end();
    return this.#found.find((found) => found !== null) ?? null;
  }

  /** What the first says, where all say something: of programs that come together nobody knows here which one is used. */
  all(): Description | null {
    this.#end();
    return this.#found.includes(null) ? null : (this.#found[0] ?? null);
  }

  /** Frees what the search needs. */
  #end(): void {
    if (this.#search !== null) this.#found.push(this.#search.result());
    this.#search = null;
  }
}

/** What is said in a package: by its runtimes when the payload is read, by the agents in its images when those are. */
export class PayloadDescriptions {
  readonly programs = new Descriptions();
  /** By the path of the image. */
  readonly agents = new Map<string, Descriptions>();
  readonly observers: Observers = {
    program: (place) => this.programs.observeRuntime(place),
    agent: (image) => {
      const found = new Descriptions();
      this.agents.set(image, found);
      return () => found.observe();
    },
  };
}
