/**
 * What the archives of an initrd unpack to. There may be a hundred thousand entries, of which a question looks at ten: an entry is a
 * number here, what is known of it stands in columns, and an inode is made of it when one is asked for.
 * Follows Linux, init/initramfs.c, as cpio.ts says.
 */

import { Corrupt, LimitExceeded, Unsupported } from '../errors.ts';
import type { EntryTable } from '../host/host.ts';
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
/** Of `EntryTable.get`. */
const columns = { kind: 0, size: 1, place: 2, segment: 3 } as const;
/** Of what `EntryTable.walk` is given. */
const state = { position: 0, entriesLeft: 1, nameBytesLeft: 2, steps: 3, segment: 4 } as const;

/** As the native form has it in packaging/native/entries.h. */
class ColumnTable implements EntryTable {
  /** By the directory's number, a slash and the name in it. */
  readonly #numbers = new Map<string, number>();
  #count = 0;
  /** Kinds, sizes, places and segments. */
  #columns = [Uint8Array, Uint32Array, Float64Array, Uint8Array].map((make) => new make(fewEntries));
  readonly #targets: string[] = [];
  #lastPath: string | undefined;
  #lastDirectory = root;

  add(kind: number): number {
    const number = this.#count;
    if (number === this.#columns[0]?.length) {
      this.#columns = this.#columns.map((column) => {
        const wider = new (column.constructor as Uint8ArrayConstructor)(number * 2);
        wider.set(column);
        return wider;
      });
    }
    this.#count += 1;
    this.set(number, columns.kind, kind);
    return number;
  }

  find(directory: number, name: string): number {
    return this.#numbers.get(`${directory}/${name}`) ?? -1;
  }

  put(directory: number, name: string, entry: number): void {
    const key = `${directory}/${name}`;
    if (this.#numbers.has(key)) this.#lastPath = undefined;
    else this.set(directory, columns.size, this.get(directory, columns.size) + 1);
    this.#numbers.set(key, entry);
  }

  names(directory: number): string[] {
    const prefix = `${directory}/`;
    return [...this.#numbers.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
  }

  get(entry: number, column: number): number {
    return this.#columns[column]?.[entry] as number;
  }

  set(entry: number, column: number, value: number): void {
    (this.#columns[column] as Float64Array)[entry] = value;
  }

  target(entry: number): string {
    return this.#targets[this.get(entry, columns.place)] ?? '';
  }

  setTarget(entry: number, target: string): void {
    this.set(entry, columns.size, target.length);
    this.set(entry, columns.place, this.#targets.push(target) - 1);
  }

  recall(path: string): number {
    return path === this.#lastPath ? this.#lastDirectory : -1;
  }

  remember(path: string, directory: number): void {
    this.#lastPath = path;
    this.#lastDirectory = directory;
  }
}

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

/** Where something can stand in the tree: the number of the directory, and the name in it. */
interface Place {
  readonly parent: number;
  readonly name: string;
}

function components(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

/** What the archives read so far make, under the limits of an initrd. Entries are numbers. */
export class Tree {
  readonly #source: Source;
  /** Names of files whose content is kept when it passes. */
  readonly #wanted: ReadonlySet<string>;
  readonly #table: EntryTable;
  /** What may still come, and where a walk stands. */
  readonly #state = new Float64Array(Object.keys(state).length);
  readonly #segments: Segment[] = [];
  readonly #kept = new Map<number, Uint8Array>();
  readonly #notes: string[] = [];
  #keptBytes = 0;
  #leftOut = 0;
  #implied = 0;

  constructor(source: Source, wanted: ReadonlySet<string>) {
    this.#source = source;
    this.#wanted = wanted;
    this.#table = source.budget.entryTable?.([...wanted]) ?? new ColumnTable();
    this.#state[state.entriesLeft] = limits.initrdEntries;
    this.#state[state.nameBytesLeft] = limits.initrdNameBytes;
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
    return kinds[this.#table.get(number, columns.kind)] as InodeKind;
  }

  /** In bytes. */
  size(number: number): number {
    return this.kind(number) === 'directory' ? 0 : this.#table.get(number, columns.size);
  }

  lookup(parent: number, name: string): number | undefined {
    const number = this.#table.find(parent, name);
    return number === -1 ? undefined : number;
  }

  /** Goes through all entries: nothing that has to be fast asks for it. */
  names(parent: number): readonly string[] {
    return this.#table.names(parent);
  }

  target(number: number): string {
    return this.#table.target(number);
  }

  at(number: number): number {
    return this.#table.get(number, columns.place);
  }

  segment(number: number): Segment {
    return this.#segments[this.#table.get(number, columns.segment)] as Segment;
  }

  kept(number: number): Uint8Array | undefined {
    return this.#kept.get(number);
  }

  keep(number: number, content: Uint8Array): void {
    this.#kept.set(number, content);
  }

  #add(kind: InodeKind): number {
    return this.#table.add(codes[kind]);
  }

  /**
   * Takes the entries of an archive from `position` on, as far as the host does that by itself: from these bytes of it, or from the source.
   * Returns where the next one stands. Throws LimitExceeded (steps, time).
   */
  walk(position: number, segment: Segment, bytes?: Uint8Array, at = 0): number {
    const { offset, length, file, budget, path } = this.#source;
    if (this.#table.walk === undefined || (bytes ?? file.descriptor) === undefined) return position;
    const here = this.#state;
    here[state.position] = position;
    here[state.steps] = 0;
    here[state.segment] = this.#numberOf(segment);
    if (bytes === undefined) this.#table.walk(here.buffer, file.descriptor as number, offset, length);
    else this.#table.walk(here.buffer, bytes.buffer, bytes.byteOffset + at, bytes.byteOffset + bytes.length);
    budget.step(here[state.steps] as number, path);
    budget.checkTime(path);
    return here[state.position] as number;
  }

  /** Counts an entry with a name of so many bytes. Throws LimitExceeded (entries, names, time). */
  count(nameBytes: number): void {
    const { path, budget } = this.#source;
    const left = this.#take(state.entriesLeft, 1);
    if (left < 0) throw new LimitExceeded(`${path}: an initrd of more than ${limits.initrdEntries} entries`);
    if (this.#take(state.nameBytesLeft, nameBytes) < 0) {
      throw new LimitExceeded(`${path}: an initrd with more than ${limits.initrdNameBytes} bytes of names`);
    }
    if (left % entriesBetweenLooks === 0) budget.checkTime(path);
  }

  #take(what: number, count: number): number {
    const left = (this.#state[what] as number) - count;
    this.#state[what] = left;
    return left;
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
    if (this.kind(number) !== 'file') return;
    this.#table.set(number, columns.size, size);
    this.#table.set(number, columns.segment, this.#numberOf(segment));
    this.#table.set(number, columns.place, at);
    if (content === undefined && this.#kept.size === 0) return;
    this.#keptBytes += (content?.length ?? 0) - (this.kept(number)?.length ?? 0);
    if (content === undefined) this.#kept.delete(number);
    else this.#kept.set(number, content);
  }

  /** All plain archives are one, and of others there are few. */
  #numberOf(segment: Segment): number {
    const known = segment.compression === undefined ? 0 : this.#segments.indexOf(segment);
    return known === -1 ? this.#segments.push(segment) - 1 : known;
  }

  addDirectory(path: string, size: number): void {
    if (components(path).length === 0) return;
    const place = size === 0 ? this.#locate(path) : undefined;
    if (place === undefined) this.leaveOut();
    else {
      const there = this.lookup(place.parent, place.name);
      if (there === undefined || this.kind(there) !== 'directory')
        this.#table.put(place.parent, place.name, this.#add('directory'));
    }
  }

  /** `target` is undefined when it is too long to be one. */
  addLink(path: string, target: Uint8Array | undefined): void {
    const text = target === undefined ? '' : latin1(target).replace(/\0.*/s, '');
    this.#take(state.nameBytesLeft, text.length);
    if (text === '') this.leaveOut();
    else {
      const number = this.#add('symlink');
      this.#table.setTarget(number, text);
      this.put(path, number);
    }
  }

  /** The new file or special node at `path`, or the file that is there already; undefined when there can be none. */
  place(path: string, kind: InodeKind): number | undefined {
    const place = this.#locate(path);
    const there = place && this.lookup(place.parent, place.name);
    if (kind === 'file' && there !== undefined && this.kind(there) === 'file') return there;
    return this.#putAt(place, this.#add(kind));
  }

  /** Returns the entry; undefined when there can be none at `path`. */
  put(path: string, number: number): number | undefined {
    return this.#putAt(this.#locate(path), number);
  }

  #putAt(place: Place | undefined, number: number): number | undefined {
    const there = place && this.lookup(place.parent, place.name);
    const isFull =
      there !== undefined && this.kind(there) === 'directory' && this.#table.get(there, columns.size) !== 0;
    if (place === undefined || isFull) {
      this.leaveOut();
      return undefined;
    }
    this.#table.put(place.parent, place.name, number);
    return number;
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
    // Most stand in the same directory as the one before.
    const known = this.#table.recall(parentPath);
    if (known !== -1) return { parent: known, name };
    const place = this.#locateAnew(path);
    if (place !== undefined) this.#table.remember(parentPath, place.parent);
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
    return { parent: here, name: last };
  }

  #imply(parent: number, name: string): number {
    this.count(name.length);
    this.#implied += 1;
    const made = this.#add('directory');
    this.#table.put(parent, name, made);
    return made;
  }
}
