import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Io } from '../../src/errors.ts';
import type { Host } from '../../src/host/host.ts';
import type { State } from '../../src/state/node.ts';
import {
  agentProto,
  compressed,
  descriptorsOf,
  elf,
  goProgram,
  goStandIn,
  lastingCalls,
  protoFilesOf,
  rustTexts,
} from '../programs.ts';
import { suite } from '../suite.ts';
import {
  after,
  guest,
  host,
  imagePackage,
  imagePath,
  needs,
  node,
  program,
  runtimePackage,
  unpack,
  usrTree,
} from './roots.ts';

const test = suite('which version a runtime is of');
const commit = '0123456789abcdef0123456789abcdef01234567';

/** Of the runtimes: their version, where it may stand, and who says it. */
const who = ({ runtimes }: State): string[] =>
  runtimes.map(({ versionText, version, versionSource }) => `${versionText} ${version?.stands} < ${versionSource}`);

type Row = readonly [rule: string, packaged: string, program: string | Buffer, expected: string, source: string | null];

/** `source`: null where the package says the version; else that both are named. */
const rows: readonly Row[] = [
  [
    'of a vendor: its suffix stands behind another release',
    '3.2.0.azl5',
    goStandIn('3.3.0-alpha0'),
    '3.3.0-alpha0 before',
    '3.2.0.azl5',
  ],
  ['of a vendor: a runtime in Rust', '3.2.0.azl5', elf(rustTexts('3.19.1', commit)), '3.19.1 at', '3.2.0.azl5'],
  ['of a vendor: both of the same release', '3.19.1.kata2', goStandIn('3.19.1'), '3.19.1.kata2 at', null],
  [
    'of a vendor: the program does not tell, and is not run',
    '3.15.0.aks0',
    '#!/bin/sh\necho kata-runtime : 9.9.9\n',
    '3.15.0.aks0 at',
    null,
  ],
  [
    'a development build: the program names another release, behind which it stands',
    '1.6.0~git20190301-1',
    goStandIn('1.5.0'),
    '1.5.0 behind',
    '1.6.0~git20190301-1',
  ],
  [
    'a development build: the program names a candidate',
    '3.12.0+git20250110-1',
    goStandIn('3.13.0-rc0'),
    '3.13.0-rc0 before',
    '3.12.0+git20250110-1',
  ],
  [
    'a development build: both of the same release',
    '3.12.0+git20250110.0123abc-1',
    goStandIn('3.12.0'),
    '3.12.0+git20250110.0123abc-1 behind',
    null,
  ],
  ['a candidate: both of the same release', '3.26.0~rc0-1', goStandIn('3.26.0'), '3.26.0~rc0-1 before', null],
  ['a version of no known form', '20250110-1', goStandIn('3.12.0'), '3.12.0 at', '20250110-1'],
  ['a release: the program is not asked', '3.2.0-1', goStandIn('3.3.0-alpha0'), '3.2.0-1 at', null],
];

for (const [rule, version, content, expected, source] of rows) {
  const from = source === null ? 'package kata-runtime' : `${program}; package kata-runtime says ${source}`;

  test(
    `installed, ${rule}`,
    async () => {
      const root = node([{ ...runtimePackage, version }, imagePackage], { ...usrTree(), [program]: content });
      chmodSync(join(root, program), 0o755);
      assert.equal(who((await after(root)).state), [`${expected} < ${from}`]);
    },
    { needs },
  );

  test(
    `on its way in a package, ${rule}`,
    async () => {
      const root = node([runtimePackage, imagePackage], usrTree());
      const comes = unpack({ name: 'kata-runtime', version, files: { [program]: content } });
      assert.equal(who((await after(root, { changes: [comes] })).state), [`${expected} < ${from}`]);
    },
    { needs },
  );
}

test(
  'where there is no room for the program of a package, the package says the version',
  async () => {
    const write = (): never => {
      throw new Io('no space left on device');
    };
    const temporaryFile: Host['temporaryFile'] = (name) => Object.assign(host.temporaryFile(name), { write });
    const full: Host = Object.assign(Object.create(host) as Host, { temporaryFile });
    const root = node([runtimePackage, imagePackage], usrTree());
    const changes = [unpack({ name: 'kata-runtime', version: '3.2.0.azl5', files: { [program]: goStandIn('3.3.0') } })];
    assert.equal(who((await after(root, { changes, host: full })).state), ['3.2.0.azl5 at < package kata-runtime']);
  },
  { needs },
);

/** A Go runtime that makes the lasting calls and these, of which it does not name the version. */
function unnamed(version: string, calls: readonly string[]): Buffer {
  const descriptors = descriptorsOf(protoFilesOf(agentProto([...lastingCalls.slice(3), ...calls]))).map(compressed);
  return readFileSync(goProgram({ version, descriptors }));
}

const early = ['ListProcesses', 'AddInterface', 'RemoveInterface', 'PauseContainer', 'ResumeContainer'];
const since22 =
  'PauseContainer ResumeContainer ReseedRandomDev ListInterfaces ListRoutes GetGuestDetails SetGuestDateTime CopyFile StartTracing ' +
  'StopTracing MemHotplugByProbe AddARPNeighbors GetOOMEvent GetMetrics AddSwap';

const placed: readonly [rule: string, program: () => Buffer, expected: string, between: string][] = [
  ['', () => unnamed('1.x', early), '1.1.0 to 1.2.0 behind', 'a build between 1.1.0 and 1.2.0'],
  [
    ', and not at 1.0.0, which is a version of the network interface in it',
    () => unnamed('unknown', since22.split(' ')),
    '2.2.0 to 2.4.0 behind',
    'a build between 2.2.0 and 2.4.0',
  ],
];

for (const [rule, make, expected, between] of placed) {
  test(
    `what nothing names stands between two releases, by the calls that the program lists${rule}`,
    async () => {
      const tree = { ...usrTree(), [program]: make(), [imagePath]: guest('1.1.0') };
      const { state } = await after(node([imagePackage], tree));
      assert.equal(who(state), [`${expected} < the calls that ${program} lists`]);
      assert.is(state.runtimes[0]?.requirement?.source, `protocol history, for ${between}`);
    },
    { needs: [...needs, 'protoc', 'go'] },
  );
}
