/**
 * What a new release of Kata changes in the agent protocol, as a file of protocol.d to be completed by a person who reads the sources:
 *
 *     npm run protocol:add -- REPOSITORY TAG [FROM] > 4.2.json
 *
 * REPOSITORY is a git repository of kata-containers that is at hand; TAG is compared with FROM, or with the last release that the tables
 * know. On standard error stands what was found: calls that came or went, with who calls them in src/runtime and src/runtime-rs at that
 * tag, and those that a runtime makes since; names of drivers, driver options and agent.* parameters that the agent's sources compare with
 * what they are sent, and those that a runtime has since. On standard output stand candidates of rows: a call that some runtime makes and
 * the older agents lack. Their effect, condition and sentence are guesses, and are to be read in the sources.
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

/** A name with the places where it stands. */
function note(places, name, line) {
  const known = places.get(name) ?? [];
  places.set(name, [...known, place(line)]);
}

/**
 * Who makes which call, by its name. In Go the request stands where it is sent; the table of request functions is no call. In Rust it is a
 * method, and the macro that declares the calls makes none.
 */
function callersAt(name, calls) {
  const [go, rust] = [new Map(), new Map()];
  for (const line of found(name, '(grpc|pb)\\.[A-Za-z]+Request\\{', 'src/runtime')) {
    const call = /(?:grpc|pb)\.([A-Za-z]+)Request\{/.exec(line)?.[1];
    if (!line.includes('func(')) note(go, call, line);
  }
  const methods = new Map(calls.map((call) => [snake(call), call]));
  for (const line of found(name, `\\.(${[...methods.keys()].join('|')})\\(`, 'src/runtime-rs')) {
    for (const [, method] of line.matchAll(/\.([a-z_]+)\(/g)) {
      if (methods.has(method) && !line.includes('impl_agent')) note(rust, methods.get(method), line);
    }
  }
  return { go, rust };
}

/** Where the agent compares something with what it is sent, and what it calls that. */
const agentFiles = ['src/agent/src/storage', 'src/agent/src/device', 'src/agent/src/config.rs'];
const sharedFiles = ['src/libs/kata-types/src/mount.rs', 'src/libs/kata-types/src/device.rs'];
const forms = [
  /const ([A-Z0-9_]+): *&(?:'static )?str *=\s*"([A-Za-z0-9][^"\s/]*)"/g,
  /[!=]=()\s*"([A-Za-z][^"\s/]*)"/g,
  /\b(?:starts_with|strip_prefix|contains)\(&?()\s*"([A-Za-z][^"\s/]*)"/g,
];

/** Names of drivers, options and parameters that the agent of a release knows, by their text: what each is, its constant, and its place. */
function wordsAt(name) {
  const paths =
    git('ls-tree', '-r', '--name-only', name, '--', ...agentFiles, ...sharedFiles)
      ?.trimEnd()
      .split('\n') ?? [];
  const words = new Map();
  for (const path of paths) {
    const source = git('show', `${name}:${path}`)?.split(/^(?:pub )?mod tests? \{/m)[0] ?? '';
    for (const form of forms) {
      for (const { 1: constant, 2: text, index } of source.matchAll(form)) {
        const what = constant.startsWith('DRIVER_') ? 'driver' : text.startsWith('agent.') ? 'parameter' : 'option';
        const line = source.slice(0, index).split('\n').length;
        if (!words.has(text))
          words.set(text, { what, constant: sharedFiles.includes(path) ? constant : '', at: `${path}:${line}` });
      }
    }
  }
  return words;
}

/** Which of these words the runtimes have, with the place: the text, what stands in it before `=`, or its constant. */
function sendersAt(name, words) {
  const needles = new Map();
  for (const [text, { constant }] of words) {
    needles.set(`"${text.replace(/=.*$/, '')}"`, text);
    if (constant !== '') needles.set(constant, text);
  }
  const pattern = [...needles.keys()].map((needle) => needle.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|');
  const sendersIn = (...paths) => {
    const places = new Map();
    for (const line of found(name, pattern, ...paths)) {
      for (const [needle, text] of needles) if (line.includes(needle)) note(places, text, line);
    }
    return places;
  };
  return { go: sendersIn('src/runtime/virtcontainers', 'src/runtime/pkg'), rust: sendersIn('src/runtime-rs/crates') };
}

const say = (text) => process.stderr.write(`${text}\n`);
const release = `${version.major}.${version.minor}.${version.patch}`;
const rows = [];

say(`# ${from} to ${tag}`);
const [older, newer] = [protocolAt(from), protocolAt(tag)];
for (const { weight, text } of differences(older, newer)) {
  if (weight !== 'none') say(`${weight}: ${text}`);
}
const callsOf = (protocol) =>
  [...protocol.calls.keys()]
    .filter((key) => key.startsWith('AgentService/'))
    .map((key) => key.slice('AgentService/'.length));
const [oldCalls, newCalls] = [callsOf(older), callsOf(newer)];
const callers = callersAt(tag, [...new Set([...oldCalls, ...newCalls])]);
const placesOf = (call) => Object.values(callers).flatMap((places) => places.get(call) ?? []);
for (const [how, calls, others] of [
  ['came', newCalls, oldCalls],
  ['went', oldCalls, newCalls],
]) {
  for (const call of calls.filter((name) => !others.includes(name))) {
    const who = Object.entries(callers).map(
      ([language, places]) => `${language}: ${places.get(call)?.slice(0, 5).join(' ') ?? 'nobody'}`,
    );
    say(`call ${call} ${how}; called in ${who.join('; ')}`);
    const sources = placesOf(call).map((at) => `kata-containers@${tag}:${at}`);
    if (sources.length === 0) continue;
    rows.push({
      id: call,
      kind: 'call',
      name: call,
      ...(callers.go.has(call) ? { go: `${release}..` } : {}),
      ...(callers.rust.has(call) ? { rust: `${release}..` } : {}),
      lacks: how === 'came' ? `<${release}` : `>=${release}`,
      when: 'TO BE COMPLETED: when is it called?',
      effect: 'operation',
      sources: sources.slice(0, 5),
    });
  }
}
const callersBefore = callersAt(from, oldCalls);
for (const [language, places] of Object.entries(callers)) {
  for (const call of oldCalls.filter((name) => newCalls.includes(name) && places.has(name))) {
    if (!callersBefore[language].has(call)) say(`call ${call} is made by ${language} now: ${places.get(call)[0]}`);
  }
}
const [oldWords, newWords] = [wordsAt(from), wordsAt(tag)];
for (const [text, { what, at }] of newWords) if (!oldWords.has(text)) say(`${what} "${text}" came (${at})`);
for (const [text, { what, at }] of oldWords) if (!newWords.has(text)) say(`${what} "${text}" went (${at} of ${from})`);
const known = new Map([...newWords].filter(([text, { what }]) => oldWords.has(text) && what !== 'parameter'));
const [before, after] = [sendersAt(from, known), sendersAt(tag, known)];
for (const [language, places] of Object.entries(after)) {
  for (const [text, [at]] of places) {
    if (!before[language].has(text)) say(`${known.get(text).what} "${text}" stands in ${language} now: ${at}`);
  }
}
process.stdout.write(
  `${JSON.stringify({ schema: 1, releases: [`${version.major}.${version.minor}`], rows }, null, 2)}\n`,
);
