import * as assert from 'uvu/assert';
import type { Description } from '../../src/protocol/descriptors.ts';
import { placedByCalls } from '../../src/protocol/go-calls.ts';
import { betweenReleases, placeOf, placesOf } from '../../src/protocol/place.ts';
import { lastMinors } from '../../src/protocol/releases.ts';
import type { Version } from '../../src/version.ts';
import { lastingCalls } from '../programs.ts';
import { suite } from '../suite.ts';

const test = suite('a Go runtime between two releases, by its calls');

function description(names: readonly string[], hasServices = true): Pick<Description, 'calls' | 'hasServices'> {
  const calls = names.map((name) => [`AgentService/${name}`, { name, request: '', response: '' }] as const);
  return { calls: new Map([...calls, ['Health/Check', { name: 'Check', request: '', response: '' }]]), hasServices };
}

const early = ['ListProcesses', 'AddInterface', 'RemoveInterface'];
const pausing = ['PauseContainer', 'ResumeContainer'];
const since13 = [...pausing, 'ReseedRandomDev', 'ListInterfaces', 'ListRoutes', 'GetGuestDetails'];
const since15 = [...since13, 'SetGuestDateTime', 'CopyFile'];
const since17 = [...since15, 'StartTracing', 'StopTracing', 'MemHotplugByProbe'];
const since20 = [...since17, 'AddARPNeighbors', 'GetOOMEvent', 'GetMetrics'];
const without = (all: readonly string[], ...gone: readonly string[]): string[] =>
  all.filter((name) => !gone.includes(name));
const since24 = [...without(since20, 'StartTracing', 'StopTracing'), 'AddSwap', 'GetVolumeStats', 'ResizeVolume'];
const since32 = [...since24, 'GetIPTables', 'SetIPTables', 'UpdateEphemeralMounts', 'RemoveStaleVirtiofsShareMounts'];
const since320 = [...since32, 'SetPolicy', 'MemAgentMemcgSet', 'MemAgentCompactSet', 'AddSwapPath'];

const rows: readonly [rule: string, calls: readonly string[], text: string | undefined][] = [
  ['the first release', early, '1.0.0 to 1.1.0'],
  ['it pauses', [...early, ...pausing], '1.1.0 to 1.2.0'],
  ['what 1.2 has in agent.proto and its client has not', [...early, ...pausing, 'ReseedRandomDev'], '1.2.0 to 1.3.0'],
  ['a call that went from agent.proto in 1.6 and from the client in 1.7', [...early, ...since15], '1.5.0 to 1.7.0'],
  ['tracing', ['ListProcesses', ...since17], '1.7.0 to 1.12.0'],
  ['2.0', ['ListProcesses', ...since20], '2.0.0 to 2.1.0'],
  ['one that went', since20, '2.1.0 to 2.2.0'],
  ['volumes, and no tracing', since24, '2.4.0 to 2.5.0'],
  ['3.2', since32, '3.2.0 to 3.3.0'],
  ['a client that was older than agent.proto', [...since32, 'SetPolicy'], '3.3.0 to 3.20.0'],
  ['3.20', since320, '3.20.0 to 3.29.0'],
  ['the last ones', [...since320, 'GetDiagnosticData'], '3.29.0 or later'],
  ['a call of no release', [...since320, 'GetDiagnosticData', 'TeleportContainer'], undefined],
  ['a call of another release', [...since32, 'GetDiagnosticData'], undefined],
  ['one that lacks what all have', without(since320, 'PauseContainer'), undefined],
];

for (const [rule, calls, text] of rows) {
  test(`${rule}: ${text ?? 'no place'}`, () => {
    assert.is(placedByCalls(description([...lastingCalls, ...calls]))?.text, text);
  });
}

test('one that describes no calls has no place', () => {
  assert.is(placedByCalls(description([...lastingCalls, ...early], false)), undefined);
});

test('it may stand at the first of the releases, or anywhere before the next one', () => {
  const version = placedByCalls(description([...lastingCalls, ...since32, 'SetPolicy'])) as Version;
  assert.equal(placesOf(version, lastMinors), [placeOf('3.3.0'), placeOf('3.20.0')]);
  assert.is(betweenReleases(version, lastMinors), 'a build between 3.3.0 and 3.20.0');
  const last = placedByCalls(description([...lastingCalls, ...since320, 'GetDiagnosticData'])) as Version;
  assert.equal(placesOf(last, lastMinors), [placeOf('3.29.0'), Number.POSITIVE_INFINITY]);
  assert.is(betweenReleases(last, lastMinors), 'a build behind 3.29.0');
});
