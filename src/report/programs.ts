/** What `kata-check protocol PROGRAM [PROGRAM]` says: as text and as JSON. */

import type { Description } from '../protocol/descriptors.ts';
import { compareDescriptions, type Evidence, isMade } from '../protocol/evidence.ts';
import type { Described } from '../state/described.ts';
import { document, schema } from './json.ts';
import { printable } from './printable.ts';
import { rows } from './rows.ts';

/** The first is the runtime, which calls, the second the agent, which serves; null where one of the two says nothing. */
export function evidenceFor([runtime, agent]: readonly Described[]): Evidence | null {
  if (runtime?.description == null || agent?.description == null) return null;
  return compareDescriptions(runtime.description, agent.description);
}

const silent: Readonly<Record<string, string>> = {
  program:
    'it holds no descriptor of the agent protocol: runtimes in Rust, agents in Rust without agent-policy and packed programs have none',
  image: 'its agent holds no descriptor of the agent protocol, or there is none',
  package: 'no runtime in it, and no agent in an image at a usual place, holds a descriptor of the agent protocol',
};

function factsOf({ kind, version, description, problem }: Described): [label: string, text: string][] {
  if (problem !== null) return [['problem', problem]];
  const head: [string, string][] = [
    ['kind', kind ?? 'unknown'],
    ['version', version ?? 'unknown'],
  ];
  if (description === null) return [...head, ['says', `nothing: ${silent[kind ?? ''] ?? ''}`]];
  const { files, calls, messages, notServed } = description;
  const fields = [...messages.values()].reduce((sum, one) => sum + one.size, 0);
  const names = (list: Iterable<string>): string => [...list].sort().join(', ');
  return [
    ...head,
    ['files', files.join(', ')],
    ['messages', `${messages.size}, with ${fields} fields and values`],
    ['calls', description.hasServices ? `${calls.size}: ${names(calls.keys())}` : 'not described'],
    ...unmade(description),
    ...(notServed.size === 0 ? [] : [['not served', names(notServed)] as [string, string]]),
  ];
}

/** What a runtime knows and never calls, where that can be told. */
function unmade(description: Description): [label: string, text: string][] {
  const names = [...description.calls.values()].filter((call) => !isMade(description, call)).map(({ name }) => name);
  return names.length === 0 ? [] : [['never made', names.sort().join(', ')]];
}

function comparison(evidence: Evidence): string[] {
  const { missing, breaks } = evidence;
  const lines = breaks.flatMap(({ field, runtime, agent }) =>
    rows('differs', [`${field}: ${runtime}`, `agent: ${agent}`]),
  );
  if (missing === null) lines.push(...rows('missing', ['unknown: one of the two does not describe its calls']));
  else if (missing.length > 0) lines.push(...rows('missing', [`the agent does not have ${missing.join(', ')}`]));
  const isGood = missing?.length === 0 && breaks.length === 0;
  const verdict = isGood ? 'they fit: the agent has every call, and both read each message in the same way' : null;
  return [
    'the first as runtime, the second as agent',
    ...lines,
    ...(verdict === null ? [] : rows('verdict', [verdict])),
    '',
  ];
}

export function programsText(described: readonly Described[]): string {
  const parts = described.map((one) =>
    [printable(one.path), ...factsOf(one).flatMap(([label, text]) => rows(label, [printable(text, 10_000)])), ''].join(
      '\n',
    ),
  );
  const evidence = evidenceFor(described);
  return [
    ...parts,
    ...(evidence === null
      ? []
      : [
          comparison(evidence)
            .map((line) => printable(line, 10_000))
            .join('\n'),
        ]),
  ].join('\n');
}

function described({ path, kind, version, description, problem }: Described): object {
  return {
    path,
    kind,
    version: version === null ? null : printable(version),
    problem: problem === null ? null : printable(problem, 1000),
    description:
      description === null
        ? null
        : {
            files: description.files,
            calls: description.hasServices ? [...description.calls.values()] : null,
            messages: [...description.messages].map(([name, fields]) => ({ name, fields: [...fields.values()] })),
            notServed: [...description.notServed],
            requested: description.requested === null ? null : [...description.requested],
          },
  };
}

export function programsJson(all: readonly Described[]): string {
  return document({ schema, programs: all.map(described), evidence: evidenceFor(all) });
}
