/**
 * What a new release of Kata changes in the agent protocol, as a file of protocol.d to be completed by a person who reads the sources:
 *
 *     npm run protocol:add -- REPOSITORY TAG [FROM] > 4.2.json
 *
 * REPOSITORY is a git repository of kata-containers that is at hand; TAG is compared with FROM, or with the last release that the tables
 * know. On standard error stands what was found: calls that came or went, with who calls them in src/runtime and src/runtime-rs at that
 * tag; names of drivers, driver options and agent.* parameters of the agent's sources. On standard output stand candidates of rows: a call
 * that some runtime makes and the older agents lack. Their effect, condition and sentence are guesses, and are to be read in the sources.
 */

import { execFileSync } from 'node:child_process';
import { differences } from '../src/protocol/proto-compare.ts';
import { parseProtos } from '../src/protocol/proto-files.ts';
import { lastMinor } from '../src/protocol/releases.ts';
import { parseVersion } from '../src/version.ts';

const [repository, tag, from = `${lastMinor}.0`] = process.argv.slice(2);
const version = parseVersion(tag ?? '');
if (repository === undefined || version === undefined) {
  process.stderr.write('usage: npm run protocol:add -- REPOSITORY TAG [FROM]\n');
  process.exit(2);
}

/** What git prints; null where it fails: a path that is not there, a search that finds nothing. */
function git(...args) {
  try {
    const options = { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024, stdio: ['ignore', 'pipe', 'ignore'] };
    return execFileSync('git', ['-C', repository, ...args], options);
  } catch (error) {
    // git grep ends with 1 where it finds nothing, and with more where an object is missing: what it found is printed all the same.
    return error.stdout === '' ? null : error.stdout;
  }
}

for (const name of [tag, from]) {
  if (git('rev-parse', '--verify', '--quiet', `${name}^{commit}`) === null) {
    process.stderr.write(`${repository} has no tag ${name}\n`);
    process.exit(1);
  }
}

/** Up to 2.3 the files stood with the agent. */
const folders = ['src/libs/protocols/protos', 'src/agent/protocols/protos'];
const names = ['agent.proto', 'types.proto', 'oci.proto', 'health.proto', 'csi.proto'];

function protocolAt(name) {
  const files = folders.flatMap((folder) =>
    names.map((file) => ({ path: `${folder}/${file}`, source: git('show', `${name}:${folder}/${file}`) })),
  );
  return parseProtos(files.filter(({ source }) => source !== null));
}

/** Lines that hold a pattern, as PATH:LINE; neither tests, nor mocks, nor what is generated or others' own. */
function found(name, pattern, ...paths) {
  const notOurs = ['*_test.go', '*/mock*', '*.pb.go', '*/vendor/*', '*/tests/*'].map(
    (glob) => `:(exclude,glob)**/${glob}`,
  );
  const lines =
    git('grep', '-n', '-E', pattern, name, '--', ...paths, ...notOurs)
      ?.trimEnd()
      .split('\n') ?? [];
  return lines.map((line) => line.slice(name.length + 1));
}

const place = (line) => line.split(':').slice(0, 2).join(':');
const snake = (call) => call.replace(/(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '_').toLowerCase();

/** Who makes a call. In Go the request stands where it is sent; the table of request functions is no call. In Rust it is a method. */
function callersOf(call) {
  const go = found(tag, `grpc\\.${call}Request\\{|pb\\.${call}Request\\{`, 'src/runtime').filter(
    (line) => !line.includes('func('),
  );
  const rust = found(tag, `\\.${snake(call)}\\(`, 'src/runtime-rs');
  // The macro that declares the calls, and the tool of Kata's developers, make none.
  return { go: go.map(place), rust: rust.filter((line) => !line.includes('impl_agent')).map(place) };
}

/** Words that a pattern finds, in one of the two releases and not in the other. */
function changed(pattern, ...paths) {
  const words = (name) =>
    new Set(found(name, pattern, ...paths).flatMap((line) => line.match(/"[a-z0-9][A-Za-z0-9_.=-]+"/g) ?? []));
  const [before, after] = [words(from), words(tag)];
  return {
    came: [...after].filter((word) => !before.has(word)),
    went: [...before].filter((word) => !after.has(word)),
  };
}

const say = (text) => process.stderr.write(`${text}\n`);
const release = `${version.major}.${version.minor}.${version.patch}`;
const rows = [];

say(`# ${from} to ${tag}`);
const [older, newer] = [protocolAt(from), protocolAt(tag)];
for (const { weight, text } of differences(older, newer)) {
  if (weight !== 'none') say(`${weight}: ${text}`);
}
for (const [how, one, other] of [
  ['came', newer, older],
  ['went', older, newer],
]) {
  for (const name of [...one.calls.keys()].filter((key) => key.startsWith('AgentService/') && !other.calls.has(key))) {
    const call = name.slice('AgentService/'.length);
    const callers = callersOf(call);
    const who = Object.entries(callers).map(
      ([language, all]) => `${language}: ${all.slice(0, 5).join(' ') || 'nobody'}`,
    );
    say(`call ${call} ${how}; called in ${who.join('; ')}`);
    const sources = [...callers.go, ...callers.rust].map((at) => `kata-containers@${tag}:${at}`);
    if (sources.length === 0) continue;
    rows.push({
      id: call,
      kind: 'call',
      name: call,
      ...(callers.go.length > 0 ? { go: `${release}..` } : {}),
      ...(callers.rust.length > 0 ? { rust: `${release}..` } : {}),
      lacks: how === 'came' ? `<${release}` : `>=${release}`,
      when: 'TO BE COMPLETED: when is it called?',
      effect: 'operation',
      sources: sources.slice(0, 5),
    });
  }
}
for (const [what, pattern, ...paths] of [
  ['driver', 'pub const DRIVER_[A-Z0-9_]+: *&', 'src/libs/kata-types', 'src/agent/src'],
  // A constant of a volume or an option, or a comparison with what stands before `=` in an option of a storage.
  [
    'word in the storage handlers, perhaps an option:',
    '(const [A-Z0-9_]*(VOLUME|OPTION|DRIVER_OPT|ENCRYPT|FILESYSTEM)[A-Z0-9_]*: *&|"[a-z_]+(=[a-z]+)?")',
    'src/libs/kata-types/src/mount.rs',
    'src/agent/src/storage',
  ],
  ['parameter', '^(pub )?const [A-Z0-9_]+: *&.*"agent\\.', 'src/agent/src/config.rs'],
]) {
  const { came, went } = changed(pattern, ...paths);
  for (const word of came) say(`${what} ${word} came`);
  for (const word of went) say(`${what} ${word} went`);
}
process.stdout.write(
  `${JSON.stringify({ schema: 1, releases: [`${version.major}.${version.minor}`], rows }, null, 2)}\n`,
);
