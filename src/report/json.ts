/**
 * Schema 1. Within a schema keys are never removed or renamed; what is not known is null, never absent.
 */

import type { Report } from '../check.ts';
import { waiting } from '../judge/remedy.ts';
import type { Agent } from '../read/agent.ts';
import type { ImageFacts } from '../read/image.ts';
import { contradictionOf, type Image, noSource, type Requirement, type Runtime, type State } from '../state/node.ts';
import { parseVersion } from '../version.ts';
import { type Circumstances, programVersion } from './circumstances.ts';
import { printable, printableJson } from './printable.ts';
import { overrideFor } from './text.ts';

export const schema = 1;

export function document(value: unknown): string {
  return `${printableJson(JSON.stringify(value, null, 2))}\n`;
}

function agentObject(agent: Agent | null) {
  if (agent === null) return null;
  const { version, source, path } = agent;
  return { version: version.text, commit: version.commit, source, path };
}

/** What a package states, else what was read in the image. */
function agentOf({ facts, incoming }: Image): Agent | null {
  if (incoming === null || (incoming.isRead && incoming.versionText === null)) return facts.agent;
  const { version } = incoming;
  return version === undefined ? null : { version, source: 'package', path: incoming.package };
}

function imageObject(
  image: ImageFacts,
  { agent, contradiction }: Pick<ImageFacts, 'agent' | 'contradiction'>,
  usedBy: readonly string[],
) {
  const { problem } = image;
  return {
    path: image.path,
    resolvedPath: image.resolvedPath,
    form: image.form,
    table: image.table,
    dax: image.dax,
    partitions: image.partitions,
    partition: image.partition,
    offset: image.offset,
    filesystem: image.filesystem,
    compression: image.compression,
    agent: agentObject(agent),
    contradiction: agentObject(contradiction),
    unchecked: image.unchecked === null ? null : printable(image.unchecked, 1000),
    kind: image.kind,
    problem: problem === null ? null : { kind: problem.kind, message: printable(problem.message, 1000) },
    usedBy,
  };
}

function imageAfter(image: Image) {
  const users = new Set(image.usedBy.map(({ path }) => path));
  return imageObject(image.facts, { agent: agentOf(image), contradiction: contradictionOf(image) }, [...users]);
}

export function imagesJson(images: readonly ImageFacts[]): string {
  return document({ schema, images: images.map((image) => imageObject(image, image, [])) });
}

/** As it is compared, else as it is written. */
function shownVersion({ version, versionText }: Pick<Runtime, 'version' | 'versionText'>): string | null {
  return version?.text ?? (versionText === null ? null : printable(versionText));
}

/** Of the agent that will be there. */
function agentVersion({ facts, incoming }: Image): string | null {
  return (incoming === null ? facts.agent?.version : incoming.version)?.text ?? null;
}

function requirementObject(requirement: Requirement | null): { range: string; source: string } | null {
  return requirement === null ? null : { range: requirement.range.text, source: requirement.source };
}

function shown(runtime: Runtime | undefined, place: 'path' | 'package'): object | null {
  if (runtime === undefined || (runtime.versionText === null && runtime.source === noSource)) return null;
  return {
    version: shownVersion(runtime),
    [place]: place === 'package' ? runtime.name : runtime.source,
    source: place === 'package' ? runtime.source : runtime.name,
  };
}

/** The one that stays, else the one that is replaced. */
function installedRuntime({ runtimes }: State): object | null {
  const staying = runtimes.find(({ isIncoming, source }) => !isIncoming && source !== noSource);
  if (staying !== undefined) return shown(staying, 'path');
  const replacing = runtimes.find(({ replaces }) => replaces !== null);
  const versionText = replacing?.replaces ?? null;
  if (replacing === undefined || versionText === null) return null;
  return {
    version: shownVersion({ version: parseVersion(versionText), versionText }),
    path: null,
    source: replacing.name,
  };
}

/** `source` is what `pairs` name it by. */
function runtimeObject({ requirement, ...runtime }: Runtime) {
  return {
    name: runtime.name,
    source: runtime.source,
    version: shownVersion(runtime),
    versionSource: runtime.versionSource,
    isIncoming: runtime.isIncoming,
    prefix: runtime.prefix,
    language: runtime.language,
    requirement: requirementObject(requirement),
  };
}

function waitingObject(state: State) {
  const rest = waiting(state);
  return rest === null ? null : { packages: state.changing?.others ?? 0, ...rest };
}

export type ReportDocument = ReturnType<typeof reportDocument>;

/** All of a report as values: what each of the formats for programs is made from. */
export function reportDocument(report: Report, exitCode: number, { host, root, time }: Circumstances) {
  const { state, findings, verdict } = report;
  const requirement = state.runtimes.find((runtime) => runtime.requirement !== null)?.requirement ?? null;
  return {
    schema,
    program: { name: 'kata-check', version: programVersion },
    host: host === null ? null : printable(host),
    root,
    time,
    verdict,
    exitCode,
    runtime: {
      installed: installedRuntime(state),
      incoming: shown(
        state.runtimes.find(({ isIncoming }) => isIncoming),
        'package',
      ),
    },
    runtimes: state.runtimes.filter(({ source }) => source !== noSource).map(runtimeObject),
    requirement: requirementObject(requirement),
    images: state.images.map(imageAfter),
    configurations: state.configurations.map(
      ({ path, resolvedPath, readers, namedBy, dropIns, images, isRemote, maskedBy }) => ({
        path,
        resolvedPath,
        readers,
        namedBy,
        dropIns,
        images: images.map((image) => image.path),
        isRemote,
        maskedBy,
        problems: state.unread
          .filter((unread) => unread.path === path || dropIns.includes(unread.path))
          .map(({ message }) => printable(message, 1000)),
      }),
    ),
    // Root hashes, as they are to be and as they are; none in a transaction, where they are not judged.
    measured: state.measured.map(({ image, source, isConfigured, expected, actual, problem }) => ({
      image,
      source,
      isConfigured,
      expected,
      actual,
      problem: problem === null ? null : printable(problem, 1000),
    })),
    pairs: report.pairs.map(({ runtime, image, codes, missing, verdict: own }) => ({
      runtime: runtime.source,
      runtimeVersion: shownVersion(runtime),
      requirement: requirementObject(runtime.requirement),
      image: image.facts.path,
      agentVersion: agentVersion(image),
      verdict: own,
      codes,
      missing,
    })),
    // How the packages that have nothing to do with Kata go on without it, when this transaction is stopped.
    waiting: verdict === 'block' ? waitingObject(state) : null,
    // Null: not known, as below another root. Zero would say that none runs.
    sandboxes: { running: state.sandboxes?.running ?? null, ids: state.sandboxes?.ids ?? [] },
    findings: findings.map((finding) => ({
      code: finding.code,
      severity: finding.severity,
      title: finding.title,
      detail: [
        ...finding.facts.map(
          ({ label, value, from }) => `${label} ${value}${from === '' ? '' : `, ${from.replaceAll('\n', ', ')}`}`,
        ),
        finding.consequence,
      ]
        .map((part) => printable(part, 1000))
        .join('; '),
      facts: finding.facts.map(({ label, value, from }) => ({
        label,
        value: printable(value, 1000),
        source: from === '' ? null : printable(from.replaceAll('\n', ', '), 1000),
      })),
      effect: printable(finding.consequence, 1000),
      missing: finding.missing ?? [],
      affects: finding.affects,
      remedy: finding.remedy,
      override: overrideFor(finding.code, state),
    })),
  };
}

export function reportJson(report: ReportDocument): string {
  return document(report);
}

/** JSON Lines (https://jsonlines.org): the same document in one line. */
export function reportJsonLine(report: ReportDocument): string {
  return `${printableJson(JSON.stringify(report))}\n`;
}
