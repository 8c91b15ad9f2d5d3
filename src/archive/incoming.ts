/**
 * The guest images in a package that comes in, read as if it were installed: each is written to a file without a name, and read there.
 *
 * An image is what stands at the path that a configuration names, through symbolic and hard links that are in the package too. What a
 * link leads to may have passed already when the link comes (dpkg-deb puts links at the end), so that files of an image's size in the
 * same folder are kept as they pass; where that was another one, the package is read a second time.
 */

import { Io, LimitExceeded, NotFound, Problem, Unsupported } from '../errors.ts';
import type { Host, TemporaryFile } from '../host/host.ts';
import { resolvePath, type Tree } from '../host/rooted.ts';
import type { AgentOptions, Observer } from '../read/agent.ts';
import { latin1, utf8 } from '../read/bytes.ts';
import { type ImageFacts, readOpenImage } from '../read/image.ts';
import * as limits from '../read/limits.ts';
import { shareOf } from '../read/source.ts';
import { absolute, type Member, placeOf } from './members.ts';
import type { PackageFile } from './package.ts';

/** The smallest image of Kata is an initrd of some 10 MB. */
const imageSize = 1024 * 1024;

/** Configurations have some 40 kB at the most. */
const textSize = 1024 * 1024;

/** What passes may be observed: the programs of a package, and the agents in its images. */
export interface Observers {
  /** For a program of this name; undefined for what need not be. */
  readonly program?: (place: string) => Observer | undefined;
  /** Whether the text of a small file at this place will be asked for: it is kept then, as the package is read but once. */
  readonly keepsText?: (place: string) => boolean;
  /** For the agent in the image of this path. */
  readonly agent?: (image: string) => AgentOptions['observe'];
}

/** A guest image, with the names under which the package can bring it, the configured one first. */
export interface Wanted {
  readonly path: string;
  readonly names: readonly string[];
}

/** What the temporary files of all packages of a run may still hold, in bytes. */
export class Room {
  left = limits.packageImageBytes;
}

/** Either what the image is, or why it could not be had out of the package. */
export type IncomingImage =
  | { readonly facts: ImageFacts; readonly problem: null }
  | { readonly facts: null; readonly problem: string };

/** What stands at one place in the package; the last member of a place counts, as when it is unpacked. */
interface Entry {
  readonly type: Member['type'];
  readonly size: number;
  /** Of a symbolic link as written, of a hard one absolute. */
  readonly target: string;
  readonly identity: string | null;
}

const kindNames: Readonly<Partial<Record<Member['type'], string>>> = {
  directory: 'a directory',
  other: 'a device, FIFO or socket',
};

/** To be closed, which gives the space of what was kept back. */
export class IncomingPayload {
  readonly #host: Host;
  readonly #package: PackageFile;
  readonly #deadline: number;
  readonly #names: ReadonlySet<string>;
  readonly #folders: ReadonlySet<string>;
  readonly #observers: Observers;
  readonly #room: Room;
  readonly #entries = new Map<string, Entry>();
  /** Of all names of one file, the one that has the content. */
  readonly #contents = new Map<string, string>();
  /** What was kept of the members, by their place. */
  readonly #kept = new Map<string, TemporaryFile>();
  /** Why what was to be kept could not be written. */
  readonly #unwritten = new Map<string, Io>();
  readonly #texts = new Map<string, string>();
  #textBytes = 0;
  /** Whether a member passed that may be an image, by its name or by its size and folder. */
  holdsLikelyImage = false;
  #reading: Promise<void> | undefined;

  /** `names`: of all images that may be asked for. `deadline`: milliseconds on the host's clock. */
  constructor(
    host: Host,
    file: PackageFile,
    names: Iterable<string>,
    deadline: number,
    observers: Observers = {},
    room = new Room(),
  ) {
    this.#room = room;
    this.#host = host;
    this.#package = file;
    this.#deadline = deadline;
    this.#observers = observers;
    this.#names = new Set(names);
    this.#folders = new Set([...this.#names].map(folderOf));
  }

  close(): void {
    for (const place of this.#kept.keys()) this.#drop(place);
  }

  /** The place of each member, absolute. Throws what the package's members throw, LimitExceeded, Io. */
  async places(): Promise<Iterable<string>> {
    await this.#read();
    return this.#entries.keys();
  }

  /** What is found for each, by its path. Throws nothing for what the package is or holds: that is the images' problem. Once. */
  async images(wanted: readonly Wanted[]): Promise<Map<string, IncomingImage>> {
    const found = new Map<string, IncomingImage>();
    const attempt = async (paths: Iterable<string>, action: () => unknown): Promise<void> => {
      try {
        await action();
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        for (const path of paths) found.set(path, { facts: null, problem: error.message });
      }
    };
    const places = new Map<string, string>();
    await attempt(
      wanted.map(({ path }) => path),
      () => this.#read(),
    );
    for (const { path, names } of wanted) {
      if (!found.has(path)) await attempt([path], () => places.set(path, this.#contentOf(names)));
    }
    await attempt(places.keys(), () => this.#keepOnly(new Set(places.values())));
    const pending = [...places].filter(([path]) => !found.has(path));
    for (const [index, [path, place]] of pending.entries()) {
      await attempt([path], async () => {
        const facts = await readOpenImage(this.#host, this.#fileAt(place), path, place, {
          deadline: shareOf(this.#host.now(), this.#deadline, pending.length - index),
          observe: this.#observers.agent?.(path),
        });
        found.set(path, { facts, problem: null });
      });
    }
    return found;
  }

  /**
   * Small files and symbolic links of it, by their places. What is not in it, or something else, or larger than `limit` bytes, is left out.
   * Throws as `places`.
   */
  async contents(wanted: Iterable<string>, limit: number): Promise<Map<string, { text: string } | { link: string }>> {
    const missing = new Set(wanted);
    const contents = new Map<string, { text: string } | { link: string }>();
    if (this.#reading !== undefined) {
      await this.#reading;
      for (const place of [...missing]) {
        const entry = this.#entries.get(place);
        const text = this.#texts.get(place);
        if (entry?.type === 'symlink') contents.set(place, { link: entry.target });
        else if (text !== undefined && text.length <= limit) contents.set(place, { text });
        else if (entry?.type === 'file') continue;
        missing.delete(place);
      }
    }
    if (missing.size === 0) return contents;
    for await (const member of this.#package.members()) {
      this.#checkTime();
      const place = placeOf(member);
      if (place === undefined || !missing.delete(place)) continue;
      if (member.type === 'symlink') contents.set(place, { link: member.target });
      if (member.type === 'file' && member.size <= limit) {
        const text = await this.#textOf(member);
        if (text !== undefined) contents.set(place, { text });
      }
      if (missing.size === 0) break;
    }
    return contents;
  }

  /** Undefined when there is more text than is kept. */
  async #textOf(member: Member): Promise<string | undefined> {
    this.#textBytes += member.size;
    if (this.#textBytes > limits.packageTextBytes) return undefined;
    const content = await member.content(member.size);
    return utf8(content) ?? latin1(content);
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readAll();
    return this.#reading;
  }

  /** All members, and of their content what may be an image. */
  async #readAll(): Promise<void> {
    let count = 0;
    let nameBytes = 0;
    for await (const member of this.#package.members()) {
      count += 1;
      nameBytes += member.path.length + member.target.length;
      this.#checkTime();
      if (count > limits.packageMembers) {
        throw new LimitExceeded(`${this.#package.path}: more than ${limits.packageMembers} members`);
      }
      if (nameBytes > limits.packageNameBytes) {
        throw new LimitExceeded(`${this.#package.path}: more than ${limits.packageNameBytes} bytes of names`);
      }
      const place = placeOf(member);
      if (place === undefined) continue;
      this.#note(place, member);
      const observer = member.type === 'file' ? this.#observers.program?.(place) : undefined;
      if (observer !== undefined) {
        await this.#observe(member, observer);
        continue;
      }
      const keepsText = member.type === 'file' && this.#observers.keepsText?.(place) === true;
      if (keepsText && member.size <= textSize) {
        const text = await this.#textOf(member);
        if (text !== undefined) this.#texts.set(place, text);
        continue;
      }
      const isLikely = this.#names.has(place) || (member.size >= imageSize && this.#folders.has(folderOf(place)));
      if (member.type !== 'file' || !isLikely) continue;
      // Whether it is wanted, and too large, is seen when all links are known.
      if (member.size <= this.#room.left) await this.#keep(place, member);
    }
  }

  async #observe(member: Member, observer: Observer): Promise<void> {
    let seen = 0;
    try {
      for await (const piece of member.pieces()) {
        this.#checkTime();
        seen += piece.length;
        if (seen <= limits.agentBytes) observer.add(piece);
      }
    } finally {
      observer.end?.();
    }
  }

  #note(place: string, { type, size, target, identity }: Member): void {
    this.#drop(place);
    this.#texts.delete(place);
    const entry = { type, size, target: type === 'hardlink' ? (absolute(target) ?? '') : target, identity };
    this.#entries.set(place, entry);
    if (type === 'file' && identity !== null && size > 0) this.#contents.set(identity, place);
  }

  /** Where it cannot be written, the next members may still be read: what fails is this image alone. */
  async #keep(place: string, member: Member): Promise<void> {
    this.holdsLikelyImage = true;
    this.#unwritten.delete(place);
    const write = (action: () => void): void => {
      try {
        if (!this.#unwritten.has(place)) action();
      } catch (error) {
        if (!(error instanceof Io)) throw error;
        this.#unwritten.set(place, error);
        this.#drop(place);
      }
    };
    write(() => this.#kept.set(place, this.#host.temporaryFile(`${place} in ${this.#package.path}`)));
    for await (const piece of member.pieces()) {
      this.#checkTime();
      write(() => this.#write(place, piece));
    }
  }

  #checkTime(): void {
    if (this.#host.now() > this.#deadline) {
      throw new LimitExceeded(`${this.#package.path}: its payload was not read before the deadline`);
    }
  }

  /** Where the content of the image stands. Throws NotFound, Unsupported, LimitExceeded, Corrupt. */
  #contentOf(names: readonly string[]): string {
    const [first = ''] = names;
    const ends = names.map((name) => ({ name, place: this.#endOf(name) }));
    const { name, place } = ends.find((end) => this.#entries.has(end.place)) ??
      ends[0] ?? { name: first, place: first };
    const entry = this.#entries.get(place);
    const leads = place === name ? place : `${name} leads to ${place}, which`;
    if (entry === undefined) throw new NotFound(`${leads} is not in the package`);
    if (entry.type === 'sparse') throw new Unsupported(`${leads} is stored as a sparse file, which is not read`);
    if (entry.type !== 'file')
      throw new Unsupported(`${leads} is ${kindNames[entry.type] ?? 'a link'}, not a regular file`);
    const content = entry.identity === null ? place : (this.#contents.get(entry.identity) ?? place);
    const size = this.#entries.get(content)?.size ?? entry.size;
    if (size > limits.packageImageBytes) {
      throw new LimitExceeded(`${leads} has ${size} bytes, more than ${limits.packageImageBytes}`);
    }
    return content;
  }

  /** Follows the links of the package, those on the way too; what is not in it stays as it is. Throws LimitExceeded. */
  #endOf(path: string): string {
    const isLink = (type: Entry['type'] | undefined): boolean => type === 'symlink' || type === 'hardlink';
    const tree: Tree = {
      status: (at) => ({ kind: isLink(this.#entries.get(at)?.type) ? 'symlink' : 'other' }),
      readLink: (at) => {
        const target = this.#entries.get(at)?.target ?? '';
        if (target.length > limits.pathBytes)
          throw new LimitExceeded(`${path}: a link longer than ${limits.pathBytes} bytes`);
        return target;
      },
    };
    return resolvePath(tree, '', path);
  }

  /**
   * Keeps what stands at these places and nothing else, by a second time through the package where it was not kept as it passed.
   * Throws as `places`.
   */
  async #keepOnly(places: ReadonlySet<string>): Promise<void> {
    for (const place of this.#kept.keys()) if (!places.has(place)) this.#drop(place);
    const missing = new Set([...places].filter((place) => !this.#kept.has(place)));
    if (missing.size === 0) return;
    for await (const member of this.#package.members()) {
      this.#checkTime();
      const place = placeOf(member);
      if (member.type !== 'file' || place === undefined || !missing.has(place)) continue;
      this.#drop(place);
      if (member.size <= this.#room.left) await this.#keep(place, member);
    }
  }

  /** Throws Io when it could not be written, LimitExceeded when it did not find room below the limit. */
  #fileAt(place: string): TemporaryFile {
    const file = this.#kept.get(place);
    if (file !== undefined) return file;
    const problem = this.#unwritten.get(place);
    if (problem !== undefined) throw problem;
    throw new LimitExceeded(
      `${this.#package.path}: the images of this run have more than ${limits.packageImageBytes} bytes in all`,
    );
  }

  #write(place: string, piece: Uint8Array): void {
    const file = this.#kept.get(place);
    if (file === undefined) return;
    const before = file.size;
    try {
      file.write(piece);
    } finally {
      this.#room.left -= file.size - before;
    }
  }

  #drop(place: string): void {
    const file = this.#kept.get(place);
    if (file === undefined) return;
    this.#room.left += file.size;
    file.close();
    this.#kept.delete(place);
  }
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
