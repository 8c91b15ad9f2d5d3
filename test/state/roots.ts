/**
 * Nodes as folders, for the tests of the state after a transaction: packages in dpkg's database, files, and a row for each transaction.
 */

import { createHash } from 'node:crypto';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { loadConfig } from '../../src/config.ts';
import type { Config } from '../../src/defaults.ts';
import type { Host } from '../../src/host/host.ts';
import { createNodeHost } from '../../src/host/node.ts';
import { rootedHost } from '../../src/host/rooted.ts';
import { stateAfter } from '../../src/state/after.ts';
import type { After } from '../../src/state/assembled.ts';
import type { State } from '../../src/state/node.ts';
import type { Request } from '../../src/state/request.ts';
import type { PackageChange } from '../../src/state/transaction.ts';
import { parseRange } from '../../src/version.ts';
import { type Deb, makeDeb } from '../debs.ts';
import { guestTree, makeExt, type Tree, temporaryFolder, writeTree } from '../images.ts';
import type { Test } from '../suite.ts';

export const needs = ['mkfs.ext4', 'dpkg-deb', 'dpkg-query', 'gzip'];
export const host = createNodeHost();
export const folder = temporaryFolder();

export const guests = new Map<string, Uint8Array>();

/** A guest image with this agent: a bare filesystem, as small as there is. */
export function guest(agent: string): Uint8Array {
  const known = guests.get(agent);
  if (known !== undefined) return known;
  const tree = writeTree(join(folder, `tree-${guests.size}`), guestTree(agent));
  const options = ['-b', '1024', '-O', '^has_journal', '-N', '32'];
  const bytes = readFileSync(makeExt(join(folder, `guest-${guests.size}`), tree, '256K', ...options));
  guests.set(agent, bytes);
  return bytes;
}

export interface Installed {
  readonly name: string;
  readonly version: string;
  readonly owns: readonly string[];
  readonly fields?: Readonly<Record<string, string>>;
  readonly status?: string;
  /** Of its conffiles, what the package had in them. */
  readonly conffiles?: Readonly<Record<string, string>>;
}

export const program = '/usr/bin/kata-runtime';
export const optProgram = '/opt/kata/bin/kata-runtime';
export const imagePath = '/usr/share/kata-containers/kata-containers.img';
export const optImage = '/opt/kata/share/kata-containers/kata-containers.img';
export const usrConfig = '/usr/share/defaults/kata-containers/configuration.toml';
export const optConfig = '/opt/kata/share/defaults/kata-containers/configuration.toml';

export function naming(...paths: readonly string[]): string {
  return paths.map((path, index) => `[hypervisor.h${index}]\nimage = ${JSON.stringify(path)}\n`).join('');
}

function conffilesField(conffiles: Readonly<Record<string, string>>): string {
  const lines = Object.entries(conffiles).map(
    ([path, text]) => ` ${path} ${createHash('md5').update(text).digest('hex')}\n`,
  );
  return lines.length === 0 ? '' : `Conffiles:\n${lines.join('')}`;
}

/** A root with these packages in dpkg's database and these files; a program is one line of shell that says nothing. */
export function node(packages: readonly Installed[], tree: Tree): string {
  const status = packages.map(
    ({ name, version, fields = {}, status = 'install ok installed', conffiles = {} }) =>
      `Package: ${name}\nStatus: ${status}\nMaintainer: x\nArchitecture: all\nVersion: ${version}\n${conffilesField(conffiles)}${Object.entries(
        fields,
      )
        .map(([key, value]) => `${key}: ${value}\n`)
        .join('')}Description: x\n`,
  );
  const lists = packages.flatMap(({ name, owns, conffiles }) => [
    [`/var/lib/dpkg/info/${name}.list`, owns.map((path) => `${path}\n`).join('')],
    ...(conffiles === undefined
      ? []
      : [
          [
            `/var/lib/dpkg/info/${name}.conffiles`,
            Object.keys(conffiles)
              .map((path) => `${path}\n`)
              .join(''),
          ],
        ]),
  ]);
  return writeTree(temporaryFolder(), {
    '/var/lib/dpkg/status': status.join('\n'),
    ...Object.fromEntries(lists),
    ...tree,
  });
}

export const runtimePackage: Installed = { name: 'kata-runtime', version: '3.4.0-1', owns: [program, usrConfig] };
export const imagePackage: Installed = { name: 'kata-containers-image', version: '3.4.0-1', owns: [imagePath] };
export const usrTree = (): Tree => ({
  [program]: '#!/bin/sh\n',
  [usrConfig]: naming(imagePath),
  [imagePath]: guest('3.4.0'),
});

/** The usual node: runtime and image 3.4.0 from two packages. */
export const usual = (): string => node([runtimePackage, imagePackage], usrTree());

export interface Parts {
  readonly changes?: readonly PackageChange[];
  readonly to?: string;
  readonly requires?: string;
  readonly images?: readonly string[];
  readonly config?: string;
  readonly host?: Host;
}

export function configOf(text: string): Config {
  const root = writeTree(temporaryFolder(), { '/etc/kata-check.conf': text });
  const { config, mistakes } = loadConfig({ ...rootedHost(host, root), userId: 1000 }, undefined, []);
  assert.equal([...mistakes], []);
  return config;
}

export async function after(root: string, parts: Parts = {}): Promise<After> {
  const real = parts.host ?? host;
  const request: Request = {
    root,
    transaction:
      parts.changes === undefined ? null : { manager: 'apt', root, changes: parts.changes, mode: null, allow: [] },
    to: parts.to ?? null,
    requires: parts.requires === undefined ? undefined : parseRange(parts.requires),
    images: parts.images ?? [],
    settings: configOf(parts.config ?? ''),
    deadline: host.now() + 60_000,
  };
  return stateAfter(real, rootedHost(real, root), request);
}

/** `+` comes, `=` is there and stays, `-` goes, `*` is made anew. */
export function told({ runtimes, images }: State): string[] {
  return [
    ...runtimes.map(
      ({ isIncoming, name, versionText, requirement, requirementProblem, prefix, replaces }) =>
        `${isIncoming ? '+' : '='} ${name} ${versionText} needs ${requirement?.range.text ?? requirementProblem}, below ${prefix}${replaces === null ? '' : `, replaces ${replaces}`}`,
    ),
    ...images.map(({ facts, incoming, removedBy, rebuiltBy }) => {
      const agent = facts.agent?.version.text ?? facts.problem?.kind ?? 'no version';
      const sign = incoming !== null ? '+' : removedBy !== null ? '-' : rebuiltBy !== null ? '*' : '=';
      const states =
        incoming === null
          ? ''
          : incoming.isRead
            ? ` read out of ${incoming.package}`
            : ` ${incoming.package} states ${incoming.versionText}${incoming.problem === null ? '' : `: ${incoming.problem.replace(/^.*: (dpkg-deb failed) .*/s, '$1')}`}`;
      return `${sign} ${facts.path} ${agent}${states}${removedBy === null ? '' : ` by ${removedBy}`}${rebuiltBy === null ? '' : ` by ${rebuiltBy}`}`;
    }),
  ];
}

export const debs = temporaryFolder();

export function unpack(
  deb: Deb,
  oldVersion: string | null = '3.4.0-1',
  newVersion: string | null = deb.version,
): PackageChange {
  return { name: deb.name, oldVersion, newVersion, action: 'unpack', archive: makeDeb(debs, deb) };
}

export function remove(name: string, oldVersion = '3.4.0-1'): PackageChange {
  return { name, oldVersion, newVersion: null, action: 'remove', archive: null };
}

export function configure({ name, oldVersion, newVersion }: PackageChange): PackageChange {
  return { name, oldVersion, newVersion, action: 'configure', archive: null };
}

/** An archive that is not there: whoever opens it is found out. */
export function unopened(name: string, oldVersion: string | null, newVersion: string): PackageChange {
  return { name, oldVersion, newVersion, action: 'unpack', archive: join(debs, 'none', `${name}.deb`) };
}

/** A package that its manager has not fetched yet, or does not say where it is. */
export function unfetched(name: string): PackageChange {
  return { name, oldVersion: '3.4.0-1', newVersion: '3.5.0-1', action: 'unpack', archive: null };
}

/** What the protocol's history says of every runtime from 3.3 to 3.12. */
export const since32 = '>=3.2.0';

export const runtime35 = (fields: Readonly<Record<string, string>> = {}): Deb => ({
  name: 'kata-runtime',
  version: '3.5.0-1',
  fields,
});
export const image35 = (fields: Readonly<Record<string, string>> = { 'Kata-Agent-Version': '3.5.0' }): Deb => ({
  name: 'kata-containers-image',
  version: '3.5.0-1',
  fields,
});
export const declares = { 'Kata-Agent-Requires': '>=3.5.0 <3.6.0' };

/** `make` runs when the test does: some need what a skipped test's machine has not. */
export type Row = readonly [
  rule: string,
  make: () => { readonly root: string } & Parts,
  expected: readonly string[],
  warnings?: readonly RegExp[],
];

export const rustProgram = '/opt/kata/runtime-rs/bin/containerd-shim-kata-v2';
export const optShim = '/opt/kata/bin/containerd-shim-kata-v2';
export const rustConfig = '/opt/kata/share/defaults/kata-containers/runtime-rs/configuration.toml';

export const programs: Tree = { [optProgram]: 'x', [optShim]: 'x', [rustProgram]: 'x', '/opt/kata/VERSION': '3.7.0\n' };

/** As if the tree were the real root: its programs answer as told here, and no package database is there. */
export async function onRealRoot(
  tree: Tree,
  answers: Readonly<Record<string, string>>,
  environment = '',
): Promise<State> {
  const root = writeTree(temporaryFolder(), tree);
  for (const path of Object.keys(tree)) if (path.includes('/bin/')) chmodSync(join(root, path), 0o755);
  const real: Host = {
    ...rootedHost(host, root),
    userId: 1000,
    environment: (name) => (name === 'KATA_CONF_FILE' ? environment : undefined),
    run: async ([path = '']) => ({
      status: 0,
      stdout: new TextEncoder().encode(answers[path] === undefined ? '' : `kata-runtime  : ${answers[path]}\n`),
      stderr: '',
    }),
  };
  const request: Request = {
    root: '',
    transaction: null,
    to: null,
    requires: undefined,
    images: [],
    settings: configOf(''),
    deadline: host.now() + 60_000,
  };
  return (await stateAfter(real, real, request)).state;
}

/** A test for each row. */
export function judgeRows(test: Test, rows: readonly Row[]): void {
  for (const [rule, make, expected, warnings = []] of rows) {
    test(
      rule,
      async () => {
        const { root, ...parts } = make();
        const { state, warnings: more } = await after(root, parts);
        const said = [...more, ...state.unread.map(({ message }) => message)];
        assert.equal(told(state), expected);
        assert.is(said.length, warnings.length, said.join('\n'));
        for (const [index, pattern] of warnings.entries()) assert.match(said[index] ?? '', pattern);
        assert.is(state.onlyChanges, parts.changes !== undefined);
        if (parts.changes !== undefined && state.runtimes.length > 0) assert.is(state.manager, 'apt');
      },
      { needs },
    );
  }
}
