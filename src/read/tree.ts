/**
 * What the archives of an initrd unpack to. There may be a hundred thousand entries, of which a question looks at ten: an entry is a
 * number here, what is known of it stands in columns, and an inode is made of it when one is asked for.
 * Follows Linux, init/initramfs.c, as cpio.ts says.
 */

import { Corrupt, LimitExceeded, Unsupported } from '../errors.ts';
import { latin1 } from './bytes.ts';
import type { Compression } from './decompress.ts';
import type { Inode, InodeKind } from './filesystem.ts';
import * as limits from './limits.ts';
import type { Source } from './source.ts';

/** Where a file's content comes from: the plain source, or a compressed segment of it. */
export interface Segment {
  readonly source: Source;
  readonly compression: Compression | undefined;
  /** Of a compressed segment in the source, in bytes. */
  readonly offset: number;
}

const kinds: readonly InodeKind[] = ['directory', 'file', 'symlink', 'other'];
const codes: Readonly<Record<InodeKind, number>> = { directory: 0, file: 1, symlink: 2, other: 3 };
const root = 0;
/** How often the clock is looked at: an entry takes microseconds. */
const entriesBetweenLooks = 64;
/** Rows of the columns at the start. */
const fewEntries = 4096;

/** One entry of the tree; the root's number is 0. */
export class Entry implements Inode {
  readonly kind: InodeKind;
  readonly size: number;
  readonly #tree: Tree;
  readonly #number: number;

  constructor(tree: Tree, number: number) {
    this.#tree = tree;
    this.#number = number;
    this.kind = tree.kind(number);
    this.size = tree.size(number);
  }

  #check(kind: InodeKind, part: string): void {
    if (this.kind !== kind) throw new Corrupt(`a ${this.kind} in an initrd has no ${part}`);
  }

  lookup(name: string): Entry | undefined {
    this.#check('directory', 'entries');
    const number = this.#tree.lookup(this.#number, name);
    return number === undefined ? undefined : new Entry(this.#tree, number);
  }

  names(): Iterable<string> {
    this.#check('directory', 'entries');
    return this.#tree.names(this.#number);
  }

  target(): string {
    this.#check('symlink', 'target');
    return this.#tree.target(this.#number);
  }

  get segment(): Segment {
    return this.#tree.segment(this.#number);
  }

  /** Where the content of a file begins: in the source, or in the plain stream of a compressed segment. */
  get at(): number {
    return this.#tree.at(this.#number);
  }

  /** The content, when it was kept while it passed. */
  get kept(): Uint8Array | undefined {
    return this.#tree.kept(this.#number);
  }

  keep(content: Uint8Array): void {
    this.#tree.keep(this.#number, content);
  }

  read(offset: number, length: number): Uint8Array {
    this.#check('file', 'content');
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      throw new Corrupt(`a file in an initrd: bytes ${offset} to ${offset + length} of ${this.size}`);
    }
    const { kept, segment } = this;
    if (kept !== undefined) return kept.slice(offset, offset + length);
    const { compression, source } = segment;
    if (compression !== undefined && length > 0) {
      throw new Unsupported(`a file in a ${compression.name} compressed initrd can be read from its start only`);
    }
    return source.read(this.at + offset, length, 'a file in an initrd').data;
  }
}

/** Where something can stand in the tree: the number of the directory, and with it the name in it, as the tree's names have it. */
interface Place {
  readonly parent: number;
  readonly key: string;
}

function components(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

/** What the archives read so far make, under the limits of an initrd. Entries are numbers. */
export class Tree {
  readonly #source: Source;
  /** Names of files whose content is kept when it passes. */
  readonly #wanted: ReadonlySet<string>;
  /** By the directory's number, a slash and the name in it. */
  readonly #numbers = new Map<string, number>();
  #count = 0;
  #kinds = new Uint8Array(fewEntries);
  /** Of a file its size in bytes, of a directory how many entries it has. */
  #sizes = new Uint32Array(fewEntries);
  /** Of a file where its content begins, of a symbolic link which target it has. */
  #places = new Float64Array(fewEntries);
  /** Of a file, which of the segments holds it. */
  #segmentNumbers = new Uint8Array(fewEntries);
  readonly #segments: Segment[] = [];
  readonly #targets: string[] = [];
  readonly #kept = new Map<number, Uint8Array>();
  readonly #notes: string[] = [];
  #entries = 0;
  #nameBytes = 0;
  #keptBytes = 0;
  #leftOut = 0;
  #implied = 0;
  /** Where the last entry stood: most stand in the same directory. Good until something that is there already is replaced. */
  #lastPath: string | undefined;
  #lastParent = root;
  #lastPrefix = '';

  constructor(source: Source, wanted: ReadonlySet<string>) {
    this.#source = source;
    this.#wanted = wanted;
    this.#segments.push({ source, compression: undefined, offset: 0 });
    this.#add('directory');
  }

  note(text: string): void {
    this.#notes.push(text);
  }

  notes(): readonly string[] {
    const notes = [...this.#notes];
    if (this.#implied > 0) notes.push(`${this.#implied} directories are in no archive of the initrd but in paths`);
    if (this.#leftOut > 0) notes.push(`${this.#leftOut} entries of the initrd were left out, as the kernel does`);
    return notes;
  }

  kind(number: number): InodeKind {
    return kinds[this.#kinds[number] as number] as InodeKind;
  }

  /** In bytes. */
  size(number: number): number {
    const kind = this.kind(number);
    if (kind === 'symlink') return this.target(number).length;
    return kind === 'file' ? (this.#sizes[number] as number) : 0;
  }

  lookup(parent: number, name: string): number | undefined {
    return this.#numbers.get(`${parent}/${name}`);
  }

  /** Goes through all entries: nothing that has to be fast asks for it. */
  *names(parent: number): Generator<string> {
    const prefix = `${parent}/`;
    for (const key of this.#numbers.keys()) if (key.startsWith(prefix)) yield key.slice(prefix.length);
  }

  target(number: number): string {
    return this.#targets[this.at(number)] ?? '';
  }

  at(number: number): number {
    return this.#places[number] as number;
  }

  segment(number: number): Segment {
    return this.#segments[this.#segmentNumbers[number] as number] as Segment;
  }

  kept(number: number): Uint8Array | undefined {
    return this.#kept.get(number);
  }

  keep(number: number, content: Uint8Array): void {
    this.#kept.set(number, content);
  }

  #add(kind: InodeKind): number {
    const number = this.#count;
    if (number === this.#kinds.length) this.#grow(number * 2);
    this.#count += 1;
    this.#kinds[number] = codes[kind];
    return number;
  }

  #grow(rows: number): void {
    const before = { kinds: this.#kinds, sizes: this.#sizes, places: this.#places, segments: this.#segmentNumbers };
    this.#kinds = new Uint8Array(rows);
    this.#kinds.set(before.kinds);
    this.#sizes = new Uint32Array(rows);
    this.#sizes.set(before.sizes);
    this.#places = new Float64Array(rows);
    this.#places.set(before.places);
    this.#segmentNumbers = new Uint8Array(rows);
    this.#segmentNumbers.set(before.segments);
  }

  /** Counts an entry with a name of so many bytes. Throws LimitExceeded (entries, names, time). */
  count(nameBytes: number): void {
    this.#entries += 1;
    this.#nameBytes += nameBytes;
    const { path, budget } = this.#source;
    if (this.#entries > limits.initrdEntries) {
      throw new LimitExceeded(`${path}: an initrd of more than ${limits.initrdEntries} entries`);
    }
    if (this.#nameBytes > limits.initrdNameBytes) {
      throw new LimitExceeded(`${path}: an initrd with more than ${limits.initrdNameBytes} bytes of names`);
    }
    if (this.#entries % entriesBetweenLooks === 0) budget.checkTime(path);
  }

  /** An entry that the kernel drops too: nothing can be made at its path, or it has content where there can be none. */
  leaveOut(): void {
    this.#leftOut += 1;
  }

  keeps(path: string, size: number): boolean {
    if (!this.#wanted.has(path.slice(path.lastIndexOf('/') + 1))) return false;
    return size <= limits.summaryBytes && this.#keptBytes + size <= limits.initrdKeptBytes;
  }

  /** Nothing but a file has content. */
  fill(number: number, size: number, segment: Segment, at: number, content: Uint8Array | undefined): void {
    if (this.#kinds[number] !== codes.file) return;
    this.#sizes[number] = size;
    // All plain archives are one, and of others there are few.
    const known = segment.compression === undefined ? 0 : this.#segments.indexOf(segment);
    this.#segmentNumbers[number] = known === -1 ? this.#segments.push(segment) - 1 : known;
    this.#places[number] = at;
    if (content === undefined && this.#kept.size === 0) return;
    this.#keptBytes += (content?.length ?? 0) - (this.kept(number)?.length ?? 0);
    if (content === undefined) this.#kept.delete(number);
    else this.#kept.set(number, content);
  }

  addDirectory(path: string, size: number): void {
    if (components(path).length === 0) return;
    const place = size === 0 ? this.#locate(path) : undefined;
    if (place === undefined) this.leaveOut();
    else {
      const there = this.#numbers.get(place.key);
      if (there === undefined || this.kind(there) !== 'directory') this.#set(place, this.#add('directory'), there);
    }
  }

  /** `target` is undefined when it is too long to be one. */
  addLink(path: string, target: Uint8Array | undefined): void {
    const text = target === undefined ? '' : latin1(target).replace(/\0.*/s, '');
    this.#nameBytes += text.length;
    if (text === '') this.leaveOut();
    else {
      const number = this.#add('symlink');
      this.#places[number] = this.#targets.push(text) - 1;
      this.put(path, number);
    }
  }

  /** The new file or special node at `path`, or the file that is there already; undefined when there can be none. */
  place(path: string, kind: InodeKind): number | undefined {
    const place = this.#locate(path);
    const there = place === undefined ? undefined : this.#numbers.get(place.key);
    if (kind === 'file' && there !== undefined && this.kind(there) === 'file') return there;
    return this.#putAt(place, this.#add(kind), there);
  }

  /** Returns the entry; undefined when there can be none at `path`. */
  put(path: string, number: number): number | undefined {
    const place = this.#locate(path);
    return this.#putAt(place, number, place === undefined ? undefined : this.#numbers.get(place.key));
  }

  #putAt(place: Place | undefined, number: number, there: number | undefined): number | undefined {
    const isFull = there !== undefined && this.kind(there) === 'directory' && this.#sizes[there] !== 0;
    if (place === undefined || isFull) {
      this.leaveOut();
      return undefined;
    }
    this.#set(place, number, there);
    return number;
  }

  /** `there`: what stands there before. */
  #set({ parent, key }: Place, number: number, there: number | undefined): void {
    // A path that led through what stood here may lead elsewhere now.
    if (there !== undefined) this.#lastPath = undefined;
    else this.#sizes[parent] = (this.#sizes[parent] as number) + 1;
    this.#numbers.set(key, number);
  }

  /**
   * The directory in which `path` stands, symbolic links on the way followed, missing directories made, and its name
   * there. Undefined when something that is no directory is in the way. `..` stops at the root.
   */
  #locate(path: string): Place | undefined {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    // Such a name stands for another one.
    if (slash === -1 || name === '' || name === '.' || name === '..') return this.#locateAnew(path);
    const parentPath = path.slice(0, slash);
    if (parentPath === this.#lastPath) return { parent: this.#lastParent, key: this.#lastPrefix + name };
    const place = this.#locateAnew(path);
    if (place === undefined) return undefined;
    this.#lastPath = parentPath;
    this.#lastParent = place.parent;
    this.#lastPrefix = `${place.parent}/`;
    return place;
  }

  #locateAnew(path: string): Place | undefined {
    const pending = components(path).reverse();
    const last = pending.shift();
    if (last === undefined || last === '..') return undefined;
    const { budget, path: image } = this.#source;
    const parents: number[] = [];
    let links = 0;
    let here = root;
    budget.step(pending.length, image);
    while (pending.length > 0) {
      const name = pending.pop();
      if (name === undefined || name === '' || name === '.') continue;
      if (name === '..') {
        here = parents.pop() ?? root;
        continue;
      }
      const next = this.lookup(here, name);
      const kind = next === undefined ? 'directory' : this.kind(next);
      if (next === undefined || kind === 'directory') {
        parents.push(here);
        here = next ?? this.#imply(here, name);
        continue;
      }
      if (kind !== 'symlink') return undefined;
      links += 1;
      const target = this.target(next);
      if (target.startsWith('/')) {
        here = root;
        parents.length = 0;
      }
      pending.push(...target.split('/').reverse());
      budget.step(pending.length, image);
      // As in the kernel, too many links are an error of this entry alone.
      if (links > limits.symlinks || pending.length > limits.pathBytes) return undefined;
    }
    return { parent: here, key: `${here}/${last}` };
  }

  #imply(parent: number, name: string): number {
    this.count(name.length);
    this.#implied += 1;
    const made = this.#add('directory');
    this.#set({ parent, key: `${parent}/${name}` }, made, undefined);
    return made;
  }
}
