/**
 * `kata-check [PACKAGE…]`: judges this node, as it is or as it would be with the packages or the runtime that the user names.
 */

import { check, type Report } from '../check.ts';
import { loadConfig } from '../config.ts';
import { environmentOverride, fallback, grace, type Loaded, type Override, policyOf } from '../defaults.ts';
import { Problem, Usage } from '../errors.ts';
import { lastStop, resolveStop } from '../hooks/record.ts';
import { type Host, notRegular } from '../host/host.ts';
import { followedStatus } from '../host/rooted.ts';
import { circumstancesOf } from '../report/circumstances.ts';
import { reportDocument, reportJson, reportJsonLine } from '../report/json.ts';
import { type PluginResult, pluginLine, pluginResult, pluginStatus } from '../report/nagios.ts';
import { metricsText } from '../report/openmetrics.ts';
import { printable } from '../report/printable.ts';
import { reportText } from '../report/text.ts';
import { unmetLines } from '../report/unmet.ts';
import { isNew } from '../state/node.ts';
import { packageFiles } from '../state/package-files.ts';
import type { Request } from '../state/request.ts';
import { parseRange, type VersionRange } from '../version.ts';
import {
  absolute,
  type Context,
  exitStatus,
  type Format,
  formats,
  isColored,
  one,
  rootOf,
  statusFor,
  tellOff,
} from './command.ts';
import { release } from './release.ts';
import { suggestion } from './suggestion.ts';
import { tell } from './tell.ts';

export async function run(context: Context): Promise<number> {
  const { host, positionals } = context;
  const { to, requires } = wanted(context);
  const format = formatOf(context);
  const { root, rooted } = rootOf(context);
  const loaded = configuration(context, rooted);
  const { config } = loaded;
  if (config.mode.value === 'off') {
    tellOff(context, config.mode.from);
    return format === 'nagios' ? plugin(context, pluginLine('ok', 'kata-check is switched off')) : exitStatus.goAhead;
  }
  const deadline = host.now() + patience(config, positionals) * 1000;
  host.endAt(deadline + grace, format === 'nagios' ? pluginStatus.unknown : exitStatus.failure);
  const paths = positionals.map((path) => absolute(host, path));
  let transaction: Request['transaction'] = null;
  try {
    if (paths.length > 0)
      transaction = await packageFiles(host, rooted, root, { paths, prefix: one(context, 'prefix') }, deadline);
  } catch (error) {
    // A package that was named and cannot be read is a doubt, as an image is; the failure is not ours.
    if (!(error instanceof Problem) || error instanceof Usage) throw error;
    if (format === 'nagios') return plugin(context, pluginLine('unknown', printable(error.message)));
    host.write(2, `kata-check: ${printable(error.message)}\n`);
    return exitStatus.undetermined;
  }
  const request: Request = {
    root,
    transaction,
    to,
    requires,
    images: (context.values.get('image') ?? []).map((path) => absolute(host, path)),
    settings: config,
    deadline,
  };
  const report = await check(host, rooted, request, policyOf(config));
  tell(context, loaded, report.warnings);
  if (context.flags.has('verbose')) {
    for (const line of unmetLines(report.pairs)) host.write(2, `kata-check: ${printable(line)}\n`);
  }
  if (isResolving(report, request)) await resolveStop(host, root);
  return write(context, report, format, rooted, { root, isInDoubt: isInDoubt(report, request, config) });
}

interface Doubted {
  readonly root: string;
  /** Something that was named by hand cannot be judged. */
  readonly isInDoubt: boolean;
}

/** Of what cannot be judged, or not be relied on. */
const doubts: ReadonlySet<string> = new Set(['KC105', 'KC201', 'KC202', 'KC203', 'KC204', 'KC205']);

/** Whether something that was named by hand cannot be judged: who asks for it must not take that for a go-ahead. */
function isInDoubt({ findings, state, warnings }: Report, request: Request, config: Loaded['config']): boolean {
  const { images, transaction, to, requires } = request;
  const isAsked = to !== null || requires !== undefined;
  if (config.strict.value && isAsked && state.images.length === 0) return true;
  if (images.length === 0 && transaction === null) return false;
  if (transaction !== null && warnings.length > 0) return true;
  const allowed = new Set(config.allow.map(({ value }) => value));
  const named = new Set([
    ...images,
    ...state.images.filter(isNew).map(({ facts }) => facts.path),
    ...state.runtimes.filter(({ isIncoming }) => isIncoming).map(({ name }) => name),
  ]);
  return findings.some(
    ({ code, affects }) =>
      doubts.has(code) &&
      !allowed.has(code) &&
      (code !== 'KC204' || transaction !== null) &&
      affects.some((affected) => named.has(affected)),
  );
}

/** The node as it is fits, whatever was stopped before. */
function isResolving({ verdict, state }: Report, { transaction, to, images }: Request): boolean {
  const isNow = transaction === null && to === null && images.length === 0;
  return isNow && state.images.length > 0 && (verdict === 'ok' || verdict === 'info');
}

/** Returns the exit status. */
function write(context: Context, report: Report, format: Format, rooted: Host, request: Doubted): number {
  const { host, flags } = context;
  const { root, isInDoubt } = request;
  const judged = statusFor(report.verdict, report.findings);
  const status = judged === exitStatus.goAhead && isInDoubt ? exitStatus.undetermined : judged;
  if (format === 'text') {
    const color = one(context, 'output') === undefined && isColored(host, context, 1);
    if (!flags.has('quiet')) put(context, reportText(report, { color, manager: null }, false));
    return status;
  }
  const document = reportDocument(report, status, circumstancesOf(rooted, root));
  if (format === 'nagios') return plugin(context, pluginResult(document, status !== exitStatus.undetermined));
  if (format === 'json') put(context, reportJson(document));
  else if (format === 'jsonl') put(context, reportJsonLine(document));
  else put(context, metricsText(document, lastStop(host, root)));
  return status;
}

function plugin(context: Context, { text, status }: PluginResult): number {
  put(context, text);
  return status;
}

/** To the standard output, or to a file: whoever reads it meanwhile reads all of the old or all of the new. Throws Io. */
function put(context: Context, text: string): void {
  const { host } = context;
  const output = one(context, 'output');
  if (output === undefined) {
    host.write(1, text);
    return;
  }
  const path = absolute(host, output);
  // To replace /dev/stdout or /dev/null would take it away from everybody.
  const kind = host.status(path)?.kind ?? 'file';
  if (kind !== 'file') throw notRegular(path, kind);
  host.replaceFile(path, text, 0o644);
}

function formatOf(context: Context): Format {
  const isJson = context.flags.has('json');
  const named = one(context, 'format');
  if (isJson && named !== undefined && named !== 'json')
    throw new Usage(`--json and --format ${named} exclude each other`);
  return formats.find((format) => format === named) ?? (isJson ? 'json' : 'text');
}

/** Static tarballs have gigabytes, and nobody waits for them but the user. */
const tarballPatience = 600;

/** In seconds. What the admin has configured holds. */
function patience({ deadline }: Loaded['config'], packages: readonly string[]): number {
  const hasTarball = packages.some((path) => !/\.(?:deb|rpm)$/.test(path));
  return hasTarball && deadline.from === fallback ? Math.max(deadline.value, tarballPatience) : deadline.value;
}

/** What the user says about the incoming runtime. */
function wanted(context: Context): { to: string | null; requires: VersionRange | undefined } {
  const { positionals } = context;
  const typed = one(context, 'to');
  const to = typed === undefined ? null : release(typed, '--to').text;
  const text = one(context, 'requires');
  const requires = text === undefined ? undefined : parseRange(text);
  if (text !== undefined && requires === undefined)
    throw new Usage(`--requires ${text} is not a range of versions, such as '>=3.28.0 <4.0.0'`);
  if (positionals.length > 0 && to !== null) throw new Usage('give either --to or package files, not both');
  const unknown = positionals.find(
    (path) =>
      !/\.(?:deb|rpm|tar|tgz|tar\.(?:gz|xz|zst))$/.test(path) &&
      followedStatus(context.host, absolute(context.host, path))?.kind !== 'file' &&
      followedStatus(context.host, `${absolute(context.host, path)}/index.json`)?.kind !== 'file',
  );
  if (unknown !== undefined)
    throw new Usage(`${unknown} is neither a command nor a package or tarball${commandLike(unknown, context)}`);
  return { to, requires };
}

function commandLike(word: string, { commands }: Context): string {
  const names = commands.map(({ name }) => name).filter((name) => name !== '');
  return suggestion(word, [...names, '--help', '--version']);
}

/** The file that the user names is one of this system; the usual ones are those below the root. */
function configuration(context: Context, rooted: Host): Loaded {
  const { host, flags, values } = context;
  const options: Override = {
    from: 'the command line',
    mode: one(context, 'mode'),
    allow: values.get('allow') ?? [],
    strict: flags.has('strict'),
  };
  const given = one(context, 'config');
  const overrides = [environmentOverride(host), options];
  const loaded =
    given === undefined ? loadConfig(rooted, undefined, overrides) : loadConfig(host, absolute(host, given), overrides);
  if (loaded.mistakes.length > 0) throw new Usage(loaded.mistakes.join('; '));
  return loaded;
}
