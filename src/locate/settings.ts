/**
 * What a configuration of Kata says of what the protocol's tables ask for: each value with the file and the line that decide it.
 *
 * The runtime reads the configuration and then its drop-ins in the order of their names; a key that stands in a later file replaces the
 * earlier one, table by table (src/runtime/pkg/katautils/config.go, decodeDropIns; src/libs/kata-types/src/config/drop_in.rs).
 */

import type { TomlTable, TomlValue } from 'smol-toml';
import type { Host } from '../host/host.ts';
import { askedKeys, type Placed, type Settings } from '../protocol/settings.ts';
import { isTable, type Lines } from './toml.ts';

/** The configuration itself, or a drop-in. */
export interface Part {
  readonly path: string;
  readonly table: TomlTable;
  readonly lines: Lines;
}

/** `isPartial`: a part could not be read. */
export function settingsIn(path: string, parts: readonly Part[], isPartial: boolean): Settings {
  const values = new Map<string, Placed>();
  const annotations = new Map<string, readonly string[]>();
  const hypervisors = new Set<string>();
  for (const part of parts) {
    for (const name of sectionsOf(part.table.hypervisor)) hypervisors.add(name);
    for (const [section, table] of tablesIn(part.table)) {
      for (const [key, value] of Object.entries(table)) note(part, section, key, value);
    }
  }
  return { path, hypervisors: [...hypervisors], values, annotations, snapshotters: [], architecture: null, isPartial };

  function note(part: Part, section: string, key: string, value: TomlValue): void {
    // The runtime in Go does not mind capitals.
    const name = key.toLowerCase();
    const [kind = '', hypervisor = ''] = section.split('.');
    if (kind === 'hypervisor' && name === 'enable_annotations' && Array.isArray(value)) {
      annotations.set(
        hypervisor,
        value.filter((one): one is string => typeof one === 'string'),
      );
    }
    if (!askedKeys.has(kind === 'hypervisor' ? `hypervisor.${name}` : `${section}.${name}`)) return;
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return;
    values.set(`${section}.${name}`, { value, path: part.path, line: part.lines.get(`${section}.${key}`) ?? null });
  }
}

/** The drop-in that names an image, where it is not the configuration itself; the last one counts. */
export function dropInNaming([, ...dropIns]: readonly Part[], image: string): string | undefined {
  const text = JSON.stringify(image);
  return dropIns.findLast(({ table }) => JSON.stringify(table.hypervisor ?? {}).includes(text))?.path;
}

function sectionsOf(value: TomlValue | undefined): string[] {
  return isTable(value) ? Object.keys(value).filter((name) => isTable(value[name])) : [];
}

/** `runtime`, `factory`, `agent.kata`, `hypervisor.qemu`. */
function tablesIn(table: TomlTable): [string, TomlTable][] {
  const found: [string, TomlTable][] = [];
  for (const name of ['runtime', 'factory']) {
    const section = table[name];
    if (isTable(section)) found.push([name, section]);
  }
  for (const name of ['agent', 'hypervisor']) {
    const outer = table[name];
    for (const inner of sectionsOf(outer)) found.push([`${name}.${inner}`, (outer as TomlTable)[inner] as TomlTable]);
  }
  return found;
}

/** The loader of programs for s390x is called so there and nowhere else. Nothing else asks for the architecture. `host` is rooted. */
export function architectureOf(host: Host): string {
  return host.status('/lib/ld64.so.1') === undefined ? 'other' : 's390x';
}
