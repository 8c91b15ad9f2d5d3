/**
 * What programs say of the agent protocol by themselves, collected while packages and images are read.
 */

import type { Observers } from '../archive/incoming.ts';
import { Io } from '../errors.ts';
import type { Host, TemporaryFile } from '../host/host.ts';
import { versionInOpenProgram } from '../locate/runtimes.ts';
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

  /** What one of them says; null when none says anything. */
  any(): Description | null {
    this.#end();
    return this.#found.find((found) => found !== null) ?? null;
  }

  /** Frees what the search needs. */
  #end(): void {
    if (this.#search !== null) this.#found.push(this.#search.result());
    this.#search = null;
  }
}

/** A program as it passes, in a file without a name: where its version stands is told by its end. */
class PassingProgram implements Observer {
  #file: TemporaryFile | null;

  /** Throws Io. */
  constructor(host: Host, what: string) {
    this.#file = host.temporaryFile(what);
  }

  /** Where it cannot be written, its version is not known, and all else is read. */
  add(piece: Uint8Array): void {
    try {
      this.#file?.write(piece);
    } catch (error) {
      if (!(error instanceof Io)) throw error;
      this.#file?.close();
      this.#file = null;
    }
  }

  /** Once. */
  version(host: Host, deadline: number): string | null {
    if (this.#file === null) return null;
    try {
      return versionInOpenProgram(host, this.#file, deadline);
    } finally {
      this.#file.close();
      this.#file = null;
    }
  }
}

/** What is said in a package: by its runtimes when the payload is read, by the agents in its images when those are. */
export class PayloadDescriptions {
  /** Of its runtimes, by their paths; null for one that says nothing. */
  readonly programs = new Map<string, Description | null>();
  /** Likewise, of those that say it. */
  readonly versions = new Map<string, string>();
  /** By the path of the image. */
  readonly agents = new Map<string, Descriptions>();
  readonly observers: Observers = {
    program: (place) => this.#observeProgram(place),
    agent: (image) => {
      const found = new Descriptions();
      this.agents.set(image, found);
      return () => found.observe();
    },
  };
  readonly #keeping: { readonly host: Host; readonly deadline: number } | null;

  /** `keeping`: to read versions, too, which takes room for a program at a time. */
  constructor(keeping: { readonly host: Host; readonly deadline: number } | null = null) {
    this.#keeping = keeping;
  }

  /** What the first of these says, where all say something: of programs that come together nobody knows here which one is used. */
  all(paths: readonly string[]): Description | null {
    const found = paths.flatMap((path) => this.programs.get(path) ?? []);
    return found.length < paths.length ? null : (found[0] ?? null);
  }

  #observeProgram(place: string): Observer | undefined {
    if (!runtimeName.test(place)) return undefined;
    const search = new DescriptorSearch();
    const program = this.#keeping === null ? null : passing(this.#keeping.host, place);
    return {
      add: (piece) => {
        search.add(piece);
        program?.add(piece);
      },
      end: () => {
        this.programs.set(place, search.result());
        const version = this.#keeping === null ? null : program?.version(this.#keeping.host, this.#keeping.deadline);
        if (version != null) this.versions.set(place, version);
      },
    };
  }
}

/** Null where there is no room for it. */
function passing(host: Host, place: string): PassingProgram | null {
  try {
    return new PassingProgram(host, place);
  } catch (error) {
    if (error instanceof Io) return null;
    throw error;
  }
}
