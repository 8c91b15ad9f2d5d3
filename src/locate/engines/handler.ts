/**
 * A handler: what a container engine calls a runtime, with the program that it runs and the configuration of Kata that it names.
 */

import type { TomlTable } from 'smol-toml';
import type { Placed } from '../../protocol/settings.ts';
import { isTable } from '../toml.ts';

export interface Handler {
  /** As "containerd, handler kata-qemu". Of several with the same words the later one wins. */
  readonly by: string;
  /** The file that says so. */
  readonly file: string;
  /** As it is written there; undefined when the engine names none. */
  readonly configuration: string | undefined;
  /** The path of the program, where the engine names one. */
  readonly program: string | undefined;
  /** The type of a shim, as io.containerd.kata.v2. */
  readonly type: string | undefined;
  /** Its names, arguments or annotations say that it is one of Kata's; else only the configuration can. */
  readonly isKata: boolean;
  /** What makes the root filesystem of its containers; undefined where the engine names none. */
  readonly snapshotter?: Placed | undefined;
}

/** The tables below a path of keys. */
export function tablesIn(document: TomlTable | undefined, ...keys: readonly string[]): [string, TomlTable][] {
  let table: unknown = document;
  for (const key of keys) table = isTable(table) && Object.hasOwn(table, key) ? table[key] : undefined;
  if (!isTable(table)) return [];
  return Object.entries(table).filter((entry): entry is [string, TomlTable] => isTable(entry[1]));
}

/** A text that says something. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Whether one of these words, or one in these lists, is of Kata Containers. */
export function speaksOfKata(...values: readonly unknown[]): boolean {
  return values.flat().some((value) => typeof value === 'string' && value.includes('kata'));
}
