/** Real .rpm files, made by rpmbuild. */

import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { run, type Tree, temporaryFolder, writeTree } from './images.ts';

export interface Rpm {
  readonly name: string;
  /** With the epoch, where there is one; the release is always 1. */
  readonly version: string;
  readonly provides?: readonly string[];
  /** Further lines of the spec's preamble. */
  readonly preamble?: readonly string[];
  readonly files?: Tree;
  /** Before a path of `files` in %files: %config, %ghost. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Sections behind %files, line by line: %post and its kin. */
  readonly scriptlets?: readonly string[];
  /** Shell lines that change what is in %{buildroot}; what they add there is `adds`, where `%dir /path` may stand, too. */
  readonly install?: readonly string[];
  readonly adds?: readonly string[];
  /** rpm's _binary_payload: w9.gzdio, w6.xzdio, w19.zstdio, w6.lzdio, w.ufdio. */
  readonly payload?: string;
}

/** Returns the path of the package in `folder`. */
export function makeRpm(folder: string, rpm: Rpm): string {
  const work = temporaryFolder();
  const [, epoch, version] = /^(?:([0-9]+):)?(.*)$/.exec(rpm.version) ?? [];
  writeTree(join(work, 'tree'), { ...rpm.files, '.keep': '' });
  const paths = [...Object.keys(rpm.files ?? {}), ...(rpm.adds ?? [])];
  const spec = join(work, 'package.spec');
  writeFileSync(
    spec,
    [
      `Name: ${rpm.name}`,
      ...(epoch === undefined ? [] : [`Epoch: ${epoch}`]),
      `Version: ${version}`,
      'Release: 1',
      'Summary: made for a test',
      'License: none',
      'BuildArch: noarch',
      ...(rpm.provides ?? []).map((provided) => `Provides: ${provided}`),
      ...(rpm.preamble ?? []),
      '%description',
      'x',
      '%install',
      'mkdir -p %{buildroot}',
      `cp -a ${work}/tree/. %{buildroot}/`,
      'rm %{buildroot}/.keep',
      ...(rpm.install ?? []),
      '%files',
      ...paths.map((path) =>
        path.startsWith('%') ? path : `${rpm.attributes?.[path] ?? ''} "/${path.replace(/^\/+/, '')}"`,
      ),
      ...(rpm.scriptlets ?? []),
      '',
    ].join('\n'),
  );
  const defines = {
    _topdir: work,
    _build_id_links: 'none',
    _binary_payload: rpm.payload ?? 'w9.gzdio',
    // What a distribution does to the files: strip, compress, look for programs.
    __os_install_post: '%{nil}',
    _unpackaged_files_terminate_build: '0',
  };
  const options = Object.entries(defines).flatMap(([name, value]) => ['--define', `${name} ${value}`]);
  run('rpmbuild', '-bb', '--quiet', '--nodebuginfo', ...options, spec);
  const made = join(work, 'RPMS/noarch', `${rpm.name}-${version}-1.noarch.rpm`);
  const file = join(folder, basename(made));
  copyFileSync(made, file);
  rmSync(work, { recursive: true });
  return file;
}
