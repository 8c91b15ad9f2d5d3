/**
 * Schema 1. Within a schema keys are never removed or renamed; what is not known is null, never absent.
 */

import type { Report } from '../check.ts';
import { waiting } from '../judge/remedy.ts';
import type { ImageFacts } from '../read/image.ts';
import type { Image, Runtime, State } from '../state/node.ts';
import { printable, printableJson } from './printable.ts';
import { overrideFor } from './text.ts';

export const schema = 1;

export function document(value: unknown): string {
  return `${printableJson(JSON.stringify(value, null, 2))}\n`;
}

function imageObject(image: ImageFacts, usedBy: readonly string[], incoming: Image['incoming'] = null): object {
  const { agent, problem } = image;
  const stated = incoming?.version;
  const fromPackage =
    stated === undefined
      ? null
      : { version: stated.text, commit: stated.commit, source: 'package', path: incoming?.package ?? null };
  const fromImage =
    agent === null
      ? null
      : { version: agent.version.text, commit: agent.version.commit, source: agent.source, path: agent.path };
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
    agent: incoming === null || incoming.isRead ? fromImage : fromPackage,
    kind: image.kind,
    problem: problem === null ? null : { kind: problem.kind, message: printable(problem.message, 1000) },
    usedBy,
  };
}

export function imagesJson(images: readonly ImageFacts[]): string {
  return document({ schema, images: images.map((image) => imageObject(image, [])) });
}

function shown(runtime: Runtime | undefined, place: 'path' | 'package'): object | null {
  if (runtime === undefined || (runtime.versionText === null && runtime.source === 'none')) return null;
  return {
    version: runtime.version?.text ?? (runtime.versionText === null ? null : printable(runtime.versionText)),
    [place]: place === 'package' ? runtime.name : runtime.source,
    source: place === 'package' ? runtime.source : runtime.name,
  };
}

/** `source` is what `pairs` name it by. */
function runtimeObject({ requirement, ...runtime }: Runtime): object {
  return {
    name: runtime.name,
    source: runtime.source,
    version: runtime.version?.text ?? (runtime.versionText === null ? null : printable(runtime.versionText)),
    versionSource: runtime.versionSource,
    isIncoming: runtime.isIncoming,
    prefix: runtime.prefix,
    language: runtime.language,
    requirement: requirement === null ? null : { range: requirement.range.text, source: requirement.source },
  };
}

function waitingObject(state: State): object | null {
  const rest = waiting(state);
  return rest === null ? null : { packages: state.changing?.others ?? 0, ...rest };
}

export function reportJson(report: Report, exitCode: number): string {
  const { state, findings, verdict } = report;
  const requirement = state.runtimes.find((runtime) => runtime.requirement !== null)?.requirement ?? null;
  return document({
    schema,
    verdict,
    exitCode,
    runtime: {
      installed: shown(
        state.runtimes.find(({ isIncoming }) => !isIncoming),
        'path',
      ),
      incoming: shown(
        state.runtimes.find(({ isIncoming }) => isIncoming),
        'package',
      ),
    },
    runtimes: state.runtimes.filter(({ source }) => source !== 'none').map(runtimeObject),
    requirement: requirement === null ? null : { range: requirement.range.text, source: requirement.source },
    images: state.images.map((image) =>
      imageObject(image.facts, [...new Set(image.usedBy.map(({ path }) => path))], image.incoming),
    ),
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
    pairs: report.pairs.map(({ runtime, image, codes, verdict: own }) => ({
      runtime: runtime.source,
      image: image.facts.path,
      verdict: own,
      codes,
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
      affects: finding.affects,
      remedy: finding.remedy,
      override: overrideFor(finding.code, state),
    })),
  });
}
