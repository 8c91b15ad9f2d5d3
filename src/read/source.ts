/**
 * The bytes of an image, or of one partition of it, under a budget of bytes and time.
 */

import { Corrupt, LimitExceeded } from '../errors.ts';
import type { File, Host } from '../host/host.ts';
import { Bytes } from './bytes.ts';
import * as limits from './limits.ts';

/** What reading one image may cost. Shared by all sources of that image. */
export class Budget {
  /** Bytes read so far. */
  spent = 0;
  #stepsLeft: number;
  readonly deadline: number;
  /** The host's own parts, which take less of the time. */
  readonly lz4Block: Host['lz4Block'];
  readonly entryTable: Host['entryTable'];
  readonly nextCommit: Host['nextCommit'];
  readonly #host: Pick<Host, 'now'>;

  /** `deadline`: milliseconds on the host's clock. `steps`: through the structures of the image. */
  constructor(
    host: Pick<Host, 'now' | 'lz4Block' | 'entryTable' | 'nextCommit'>,
    deadline: number,
    steps = limits.imageSteps,
  ) {
    this.#host = host;
    this.#stepsLeft = steps;
    this.lz4Block = host.lz4Block;
    this.entryTable = host.entryTable;
    this.nextCommit = host.nextCommit;
    this.deadline = deadline;
  }

  /** Throws LimitExceeded when the time is over. For loops that compute without reading. */
  checkTime(what: string): void {
    if (this.#host.now() > this.deadline) throw new LimitExceeded(`${what}: not done before the deadline`);
  }

  /** Throws LimitExceeded when `bytes` more are too many or the time is over. */
  spend(bytes: number, what: string): void {
    this.spent += bytes;
    if (this.spent > limits.imageBytes) throw new LimitExceeded(`${what}: more than ${limits.imageBytes} bytes read`);
    this.step(limits.readSteps, what);
    this.checkTime(what);
  }

  /** Throws LimitExceeded when so many steps more are too many. For loops that are quick, but that the image may lead through again and again. */
  step(count: number, what: string): void {
    this.#stepsLeft -= count;
    if (this.#stepsLeft < 0) {
      throw new LimitExceeded(`${what}: too many steps through the structures of the image`);
    }
  }
}

/** Until when the next of `left` images may be read: each has the same part of the time, and what one leaves goes to those behind it. */
export function shareOf(now: number, deadline: number, left: number): number {
  return now + (deadline - now) / left;
}

export class Source {
  readonly budget: Budget;
  /** In bytes. */
  readonly length: number;
  /** Where it begins in the file, in bytes. */
  readonly offset: number;
  readonly file: File;

  constructor(file: File, budget: Budget, offset = 0, length = file.size - offset) {
    this.file = file;
    this.budget = budget;
    this.offset = offset;
    this.length = length;
  }

  get path(): string {
    return this.file.path;
  }

  /**
   * Exactly `length` bytes from `offset`; `what` names them in messages.
   * Throws Corrupt (outside the image), LimitExceeded, Io.
   */
  read(offset: number, length: number, what: string): Bytes {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.length)) {
      const end = `${this.path} has ${this.length} bytes there`;
      throw new Corrupt(`${what}: bytes ${offset} to ${offset + length} lie outside the image (${end})`);
    }
    if (length > limits.readBytes) throw new LimitExceeded(`${what}: ${length} bytes at once are too many`);
    this.budget.spend(length, what);
    return new Bytes(this.file.read(this.offset + offset, length), what);
  }

  /** The part from `offset`, `length` bytes long, cut at the end of this one. Throws Corrupt when it begins behind the end. */
  part(offset: number, length: number, what: string): Source {
    if (!(offset >= 0 && offset <= this.length)) {
      throw new Corrupt(`${what}: begins at byte ${offset}, behind the end of ${this.path} (${this.length} bytes)`);
    }
    return new Source(this.file, this.budget, this.offset + offset, Math.min(length, this.length - offset));
  }
}
