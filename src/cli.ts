/**
 * The command line: strict arguments, dispatch, and the only place that knows exit statuses.
 *
 * citty alone would take an unknown option, a missing value or an option as a value without a word; so the arguments are
 * checked here against the command's declaration, and citty, which runs the command and writes its usage, gets none.
 */

import { type ArgsDef, type CommandDef, defineCommand, renderUsage, runCommand } from 'citty';
import { check } from './check.ts';
import { describeConfig, environmentOverride, type Loaded, loadConfig, type Override } from './config.ts';
import { Problem, Usage } from './errors.ts';
import { answer, firstDeadline, grace, hooks } from './hook.ts';
import type { Host } from './host/host.ts';
import { resolvePath, rootedHost } from './host/rooted.ts';
import { codes, findingKinds } from './judge/findings.ts';
import { whyNotCovered } from './protocol/compare.ts';
import { readImage } from './read/image.ts';
import { type CompletedCommand, completionScript, shells } from './report/completion.ts';
import { imagesJson, reportJson } from './report/json.ts';
import { printable } from './report/printable.ts';
import { protocolJson, protocolText } from './report/protocol.ts';
import { explainText, imageText, reportText } from './report/text.ts';
import { packageFiles } from './state/package-files.ts';
import type { Request } from './state/request.ts';
import { parseRange, parseVersion, type Version } from './version.ts';

export const exitStatus = { goAhead: 0, failure: 1, usage: 2, blocked: 10, undetermined: 11 } as const;

declare const KATA_CHECK_VERSION: string | undefined;
export const programVersion = typeof KATA_CHECK_VERSION === 'undefined' ? '0.0.0' : KATA_CHECK_VERSION;

type Option = ArgsDef[string] & { readonly isRepeatable?: boolean; readonly values?: readonly string[] };
type Options = Readonly<Record<string, Option>>;

const common: Options = {
  json: { type: 'boolean', description: 'one JSON document on standard output' },
  quiet: { type: 'boolean', description: 'no text; the exit status tells' },
  verbose: { type: 'boolean', description: 'say where each value comes from' },
  color: {
    type: 'string',
    valueHint: 'auto|always|never',
    description: 'colours in the text',
    values: ['auto', 'always', 'never'],
  },
  version: { type: 'boolean', description: 'the version of kata-check' },
  help: { type: 'boolean', description: 'this text' },
};

const checking: Options = {
  to: { type: 'string', valueHint: 'VERSION', description: "the incoming runtime's version" },
  requires: {
    type: 'string',
    valueHint: 'RANGE',
    description: 'the agent versions it works with; wins over every other source',
  },
  image: { type: 'string', valueHint: 'PATH', description: 'judge this image only (repeatable)', isRepeatable: true },
  root: { type: 'string', valueHint: 'DIR', description: 'look at the installation below DIR' },
  config: { type: 'string', valueHint: 'FILE', description: 'instead of /etc/kata-check.conf' },
  mode: {
    type: 'string',
    valueHint: 'block|warn|off',
    description: 'what to do about a mismatch',
    values: ['block', 'warn', 'off'],
  },
  allow: {
    type: 'string',
    valueHint: 'CODE',
    description: 'this finding warns instead of blocking (repeatable)',
    isRepeatable: true,
  },
  strict: { type: 'boolean', description: 'warnings count as blocks' },
};

interface Parsed {
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly flags: ReadonlySet<string>;
  readonly positionals: readonly string[];
}

/** Throws Usage for everything that is not exactly as declared. */
export function strictArguments(rawArguments: readonly string[], options: Options): Parsed {
  const values = new Map<string, string[]>();
  const flags = new Set<string>();
  const positionals: string[] = [];
  const pending = [...rawArguments];
  for (let argument = pending.shift(); argument !== undefined; argument = pending.shift()) {
    if (argument === '--') {
      positionals.push(...pending);
      break;
    }
    if (!argument.startsWith('-') || argument === '-') {
      positionals.push(argument);
      continue;
    }
    const equals = argument.indexOf('=');
    const written = equals === -1 ? argument : argument.slice(0, equals);
    const name = written.slice(2);
    const option = written.startsWith('--') && Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined) throw new Usage(`unknown option ${written}`);
    if (option.type === 'boolean') {
      if (equals !== -1) throw new Usage(`${written} takes no value`);
      flags.add(name);
      continue;
    }
    const value = equals === -1 ? pending.shift() : argument.slice(equals + 1);
    if (value === undefined || value === '') throw new Usage(`${written} needs a value`);
    if (equals === -1 && value.startsWith('-')) throw new Usage(`${written} needs a value, and ${value} is an option`);
    if (option.values !== undefined && !option.values.includes(value)) {
      throw new Usage(`${written} is one of ${option.values.join(', ')}, not ${value}`);
    }
    const known = values.get(name);
    if (known !== undefined && option.isRepeatable !== true) throw new Usage(`${written} is given twice`);
    values.set(name, [...(known ?? []), value]);
  }
  return { values, flags, positionals };
}

interface Command {
  readonly name: string;
  readonly description: string;
  readonly positional: string;
  readonly options: Options;
  readonly run: (context: Context) => Promise<number>;
}

/** What only one of the forms has, and loads when it is asked for. */
export interface Extras {
  readonly protoCompare?: () => Promise<typeof import('./protocol/proto-compare.ts')>;
}

interface Context extends Parsed {
  readonly host: Host;
  readonly extras: Extras;
}

const commands: readonly Command[] = [
  {
    name: 'image',
    description: 'say what guest images hold; judges nothing',
    positional: 'PATH…',
    options: {
      deep: { type: 'boolean', description: "read the agent's binary too, and compare" },
      root: checking.root as Option,
      ...common,
    },
    run: runImage,
  },
  {
    name: 'hook',
    description: `what package managers call: ${hooks.map(({ name }) => name).join(', ')}`,
    positional: 'NAME [ARGS…]',
    options: common,
    run: runHook,
  },
  {
    name: 'protocol',
    description: 'how the agent protocol changed; compare OLD NEW: between .proto files',
    positional: '[FROM [TO]]',
    options: {
      from: { type: 'string', valueHint: 'VERSION', description: 'compare: the release of OLD' },
      to: { type: 'string', valueHint: 'VERSION', description: 'compare: what the release of NEW is to be' },
      ...common,
    },
    run: runProtocol,
  },
  {
    name: 'explain',
    description: 'what a finding means and how to allow it',
    positional: '[CODE]',
    options: common,
    run: runExplain,
  },
  {
    name: 'completion',
    description: 'completion for a shell, to be put where it looks for it',
    positional: shells.join('|'),
    options: common,
    run: runCompletion,
  },
];

const main: Command = {
  name: 'kata-check',
  description: 'Does the guest image still fit the Kata Containers runtime, before and after an upgrade?',
  positional: '[PACKAGE…]',
  options: { ...checking, ...common },
  run: runCheck,
};

/** A value of an option that is given at most once. */
function one({ values }: Parsed, name: string): string | undefined {
  return values.get(name)?.[0];
}

/** Runs the program and ends it. */
export async function cli(host: Host, extras: Extras = {}): Promise<never> {
  return host.exit(await statusOf(host, extras));
}

async function statusOf(host: Host, extras: Extras): Promise<number> {
  const [first = '', ...rest] = host.arguments;
  const sub = commands.find(({ name }) => name === first);
  const command = sub ?? main;
  const rawArguments = sub === undefined ? host.arguments : rest;
  try {
    const parsed = strictArguments(rawArguments, command.options);
    if (parsed.flags.has('help')) {
      host.write(1, await usage(command, isColored(host, parsed, 1)));
      return exitStatus.goAhead;
    }
    if (parsed.flags.has('version')) {
      host.write(1, `kata-check ${programVersion}\n`);
      return exitStatus.goAhead;
    }
    const definition = defined(command, (): Promise<number> => command.run({ host, extras, ...parsed }));
    const { result } = await runCommand(definition, { rawArgs: [] });
    return result as number;
  } catch (error) {
    if (error instanceof Usage) {
      const name = sub === undefined ? 'kata-check' : `kata-check ${sub.name}`;
      host.write(
        2,
        `kata-check: ${printable(error.message)}\nusage: ${name} [OPTIONS] ${command.positional}   (${name} --help)\n`,
      );
      return exitStatus.usage;
    }
    const isKnown = error instanceof Problem;
    const detail = isKnown
      ? error.message
      : `internal error: ${error instanceof Error ? error.message : String(error)}`;
    host.write(2, `kata-check: ${printable(detail)}\n`);
    if (!isKnown && error instanceof Error && host.environment('KATA_CHECK_DEBUG') === '1')
      host.write(2, `${error.stack ?? ''}\n`);
    return exitStatus.failure;
  }
}

function defined(command: Command, run: () => Promise<number>): CommandDef {
  const meta = {
    name: command === main ? 'kata-check' : `kata-check ${command.name}`,
    description: command.description,
    version: programVersion,
  };
  return defineCommand({ meta, args: command.options as ArgsDef, run });
}

async function usage(command: Command, color: boolean): Promise<string> {
  const definition = defined(command, async () => 0);
  // The arguments that are no options: citty would have them declared one by one.
  const text = (await renderUsage(definition)).replace(/(\[OPTIONS\]) */, `$1 ${command.positional}`);
  const list =
    command === main
      ? commands.map(
          ({ name, positional, description }) => `  ${`kata-check ${name} ${positional}`.padEnd(36)}${description}`,
        )
      : [];
  const plain = color ? text : text.replace(/\u001b\[[0-9;]*m/g, '');
  return `${[plain.replace(/ +$/gm, '').trimEnd(), ...(list.length > 0 ? ['', 'COMMANDS', '', ...list] : [])].join('\n')}\n`;
}

function isColored(host: Host, parsed: Parsed, descriptor: 1 | 2): boolean {
  const wanted = one(parsed, 'color') ?? 'auto';
  if (wanted !== 'auto') return wanted === 'always';
  return (
    (host.environment('NO_COLOR') ?? '') === '' && host.environment('TERM') !== 'dumb' && host.isTerminal(descriptor)
  );
}

/** Relative paths begin where the user is. */
function absolute(host: Host, path: string): string {
  return path.startsWith('/') ? path : `${host.workingDirectory}/${path}`;
}

function rootOf(host: Host, parsed: Parsed): { root: string; rooted: Host } {
  const given = one(parsed, 'root');
  const root = given === undefined ? '' : resolvePath(host, '', absolute(host, given)).replace(/\/$/, '');
  return { root, rooted: root === '' ? host : rootedHost(host, root) };
}

function statusFor(verdict: string, findings: readonly { readonly severity: string; readonly code: string }[]): number {
  if (verdict !== 'block') return exitStatus.goAhead;
  const isProven = findings.some(({ severity, code }) => severity === 'block' && code.startsWith('KC10'));
  return isProven ? exitStatus.blocked : exitStatus.undetermined;
}

function tell(host: Host, parsed: Parsed, { config, warnings }: Loaded, more: readonly string[]): void {
  if (parsed.flags.has('verbose'))
    for (const line of describeConfig(config)) host.write(2, `kata-check: ${printable(line)}\n`);
  if (parsed.flags.has('quiet')) return;
  for (const warning of [...warnings, ...more]) host.write(2, `kata-check: warning: ${printable(warning)}\n`);
}

async function runCheck(context: Context): Promise<number> {
  const { host, flags, positionals } = context;
  const to = one(context, 'to') ?? null;
  if (to !== null && parseVersion(to) === undefined) throw new Usage(`--to ${to} is no version of Kata Containers`);
  const requires = one(context, 'requires');
  const range = requires === undefined ? undefined : parseRange(requires);
  if (requires !== undefined && range === undefined) throw new Usage(`--requires ${requires} is no range of versions`);
  if (positionals.length > 0 && to !== null) throw new Usage('--to and package files exclude each other');
  const unknown = positionals.find((path) => !/\.(?:deb|rpm)$/.test(path));
  if (unknown !== undefined) throw new Usage(`${unknown} is neither a command nor a .deb or .rpm`);
  const { root, rooted } = rootOf(host, context);
  const options: Override = {
    from: 'the command line',
    mode: one(context, 'mode'),
    allow: context.values.get('allow') ?? [],
    strict: flags.has('strict'),
  };
  const given = one(context, 'config');
  const overrides = [environmentOverride(host), options];
  const loaded =
    given === undefined ? loadConfig(rooted, undefined, overrides) : loadConfig(host, absolute(host, given), overrides);
  if (loaded.mistakes.length > 0) throw new Usage(loaded.mistakes.join('; '));
  const { config } = loaded;
  if (config.mode.value === 'off') {
    tellOff(context, config.mode.from);
    return exitStatus.goAhead;
  }
  const deadline = host.now() + config.deadline.value * 1000;
  host.endAt(deadline + grace, exitStatus.failure);
  const paths = positionals.map((path) => absolute(host, path));
  const request: Request = {
    root,
    transaction: paths.length === 0 ? null : await packageFiles(host, root, paths, deadline),
    to,
    requires: range,
    images: (context.values.get('image') ?? []).map((path) => absolute(host, path)),
    config,
    deadline,
  };
  const report = await check(host, rooted, request);
  const status = statusFor(report.verdict, report.findings);
  tell(host, context, loaded, report.warnings);
  if (flags.has('json')) host.write(1, reportJson(report, status));
  else if (!flags.has('quiet'))
    host.write(1, reportText(report, { color: isColored(host, context, 1), manager: null }, false));
  return status;
}

function tellOff({ host, flags }: Context, from: string): void {
  if (flags.has('verbose')) host.write(2, `kata-check: does nothing: mode = off  (${from})\n`);
}

async function runImage(context: Context): Promise<number> {
  const { host, flags, positionals } = context;
  if (positionals.length === 0) throw new Usage('which image?');
  const { rooted } = rootOf(host, context);
  const images = [];
  for (const path of positionals) {
    const deadline = host.now() + firstDeadline;
    images.push(await readImage(rooted, absolute(host, path), { deadline, deep: flags.has('deep') }));
  }
  if (flags.has('json')) host.write(1, imagesJson(images));
  else if (!flags.has('quiet')) host.write(1, images.map(imageText).join('\n'));
  return images.some(({ problem }) => problem !== null) ? exitStatus.failure : exitStatus.goAhead;
}

async function runHook(context: Context): Promise<number> {
  const { host, positionals } = context;
  const [name, ...rest] = positionals;
  const hook = hooks.find((known) => known.name === name);
  if (hook === undefined) {
    const names = hooks.map((known) => known.name).join(', ');
    throw new Usage(`${name === undefined ? 'which hook?' : `no hook for ${name};`} one of ${names}`);
  }
  const report = await answer(host, hook, rest, {
    color: isColored(host, context, 2),
    tell: (loaded, warnings) => tell(host, context, loaded, warnings),
    tellOff: (from) => tellOff(context, from),
    statusOf: (report) => (report === 'failure' ? exitStatus.failure : statusFor(report.verdict, report.findings)),
  });
  return report === null ? exitStatus.goAhead : statusFor(report.verdict, report.findings);
}

/** A release as people write it: 3.12 is 3.12.0. Throws Usage for what the history does not cover. */
function coveredRelease(text: string): Version {
  const version = parseVersion(/^v?[0-9]+\.[0-9]+$/.test(text) ? `${text}.0` : text);
  if (version === undefined) throw new Usage(`${text} is no version of Kata Containers`);
  const why = whyNotCovered(version);
  if (why !== null) throw new Usage(`${text}: ${why}`);
  return version;
}

async function runProtocol(context: Context): Promise<number> {
  const { host, positionals, flags } = context;
  const [from, to, ...rest] = positionals;
  if (from === 'compare') return runCompare(context, positionals.slice(1));
  if (context.values.has('from') || context.values.has('to')) throw new Usage('--from and --to belong to compare');
  if (rest.length > 0) throw new Usage(`two releases at the most, not ${rest[0]} too`);
  const [one = null, other = null] = [from, to].map((text) => (text === undefined ? null : coveredRelease(text)));
  if (flags.has('json')) host.write(1, protocolJson(one, other));
  else if (!flags.has('quiet')) host.write(1, protocolText(one, other));
  return exitStatus.goAhead;
}

async function runCompare(context: Context, paths: readonly string[]): Promise<number> {
  const { host, flags, extras } = context;
  const [old, next, ...rest] = paths;
  if (old === undefined || next === undefined || rest.length > 0)
    throw new Usage('compare takes two trees or .proto files');
  const [from = null, to = null] = ['from', 'to'].map((name) => {
    const text = one(context, name);
    const version = text === undefined ? null : parseVersion(text);
    if (version === undefined) throw new Usage(`--${name} ${text} is no version of Kata Containers`);
    return version;
  });
  if (extras.protoCompare === undefined) throw new Usage('compare is of the Node.js form of kata-check only');
  const { compareTrees } = await extras.protoCompare();
  const request = { old: absolute(host, old), next: absolute(host, next), from, to, isJson: flags.has('json') };
  const { text, isTooSmall } = compareTrees(host, request);
  if (flags.has('json') || !flags.has('quiet')) host.write(1, text);
  return isTooSmall ? exitStatus.blocked : exitStatus.goAhead;
}

async function runExplain({ host, positionals, flags }: Context): Promise<number> {
  const [code, ...rest] = positionals;
  if (rest.length > 0) throw new Usage(`one code at a time, not ${rest[0]} too`);
  const kinds = findingKinds.filter((kind) => code === undefined || kind.code === code.toUpperCase());
  if (kinds.length === 0) throw new Usage(`${code} is no finding; kata-check explain lists them`);
  if (flags.has('json')) host.write(1, `${JSON.stringify({ schema: 1, findings: kinds }, null, 2)}\n`);
  else if (code !== undefined) host.write(1, kinds.map(explainText).join('\n'));
  else host.write(1, kinds.map((kind) => `${kind.code}  ${kind.severity.padEnd(5)}  ${kind.title}\n`).join(''));
  return exitStatus.goAhead;
}

async function runCompletion({ host, positionals }: Context): Promise<number> {
  const [name, ...rest] = positionals;
  const shell = shells.find((known) => known === name);
  if (shell === undefined || rest.length > 0) throw new Usage(`which shell? one of ${shells.join(', ')}`);
  const words: Readonly<Record<string, readonly string[]>> = {
    hook: hooks.map(({ name }) => name),
    explain: codes,
    completion: shells,
  };
  const described = [{ ...main, name: '' }, ...commands].map(
    ({ name: command, description, options }): CompletedCommand => ({
      name: command,
      description,
      positional: words[command] ?? 'file',
      options: Object.entries(options).map(([option, { type, values, valueHint, description: text = '' }]) => ({
        name: option,
        description: text,
        value:
          type === 'boolean'
            ? null
            : (values ??
              (option === 'allow' ? codes : valueHint === 'VERSION' || valueHint === 'RANGE' ? 'text' : 'file')),
      })),
    }),
  );
  host.write(1, completionScript(shell, described));
  return exitStatus.goAhead;
}
