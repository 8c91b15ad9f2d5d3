/**
 * The verdict over the state after the transaction. Pure: facts in, findings out. All of them, not the first.
 */

import { type Comparison, compareProtocols, consequenceOf, whyNotCovered } from '../protocol/compare.ts';
import { belongsTogether, type Image, isAsMeasured, isMeasuredFor, type Runtime, type State } from '../state/node.ts';
import { isInRange } from '../version.ts';
import { type Code, type Fact, type Finding, findingKind, type Severity, severities } from './findings.ts';
import { type Manager, managerOf } from './managers.ts';
import { type Policy, severityOf } from './policy.ts';

/** A runtime and an image that belong together, and what was found of the two. */
export interface Pair {
  readonly runtime: Runtime;
  readonly image: Image;
  readonly codes: readonly Code[];
  readonly verdict: 'ok' | Severity;
}

export interface Judgement {
  readonly findings: readonly Finding[];
  readonly verdict: 'ok' | Severity;
  readonly pairs: readonly Pair[];
}

export function judge(state: State, policy: Policy): Judgement {
  const findings = findingsOf(state, policy);
  const pairs = state.runtimes.flatMap((runtime) =>
    state.images
      .filter((image) => isJudged(state, runtime, image))
      .map((image): Pair => {
        const alone = {
          ...state,
          runtimes: [runtime],
          images: [image],
          configurations: [],
          unread: [],
          sandboxes: null,
          measured: state.measured.filter((measured) => isMeasuredFor(measured, runtime, image)),
        };
        const found = findingsOf(alone, policy);
        return { runtime, image, codes: [...new Set(found.map(({ code }) => code))], verdict: verdictOf(found) };
      }),
  );
  return { findings, verdict: verdictOf(findings), pairs };
}

function verdictOf(findings: readonly Finding[]): 'ok' | Severity {
  const worst = Math.max(-1, ...findings.map(({ severity }) => severities.indexOf(severity)));
  return severities[worst] ?? 'ok';
}

function isJudged(state: State, runtime: Runtime, image: Image): boolean {
  return (
    belongsTogether(runtime, image) &&
    (!state.onlyChanges || runtime.isIncoming || image.incoming !== null || image.removedBy !== null)
  );
}

function findingsOf(state: State, policy: Policy): Finding[] {
  const findings: Finding[] = [];
  const add = (code: Code, parts: Omit<Finding, 'code' | 'severity' | 'title'> & { title?: string }): void => {
    const kind = findingKind(code);
    findings.push({ title: kind.title, ...parts, code, severity: severityOf(code, kind.severity, policy) });
  };

  for (const runtime of state.runtimes) {
    if (runtime.requirement !== null || !state.images.some((image) => isJudged(state, runtime, image))) continue;
    add('KC204', {
      facts: [runtimeFact(runtime)],
      consequence: runtime.requirementProblem ?? 'nothing says which agents it works with',
      affects: [runtime.name],
      remedy: { text: findingKind('KC204').remedy, commands: ['kata-check --to VERSION --requires RANGE'] },
    });
  }

  for (const image of state.images) {
    const users = state.runtimes.filter((runtime) => isJudged(state, runtime, image));
    if (users.length === 0) continue;
    const { facts } = image;
    const affects = [facts.path];
    if (image.removedBy !== null) {
      add('KC302', {
        facts: [{ label: 'removed', value: image.removedBy, from: oneLine(facts.path) }, ...users.map(runtimeFact)],
        consequence: 'no pod starts with this image any more',
        affects,
        remedy: { text: findingKind('KC302').remedy, commands: [] },
      });
      continue;
    }
    // It holds no agent and needs none; what comes in its place and could not be read is taken for the same.
    const isWhole = facts.problem === null || image.incoming !== null;
    if (facts.kind === 'extension' && image.incoming?.version === undefined && isWhole) continue;
    if (image.incoming !== null && image.incoming.version === undefined) {
      const stated = image.incoming.versionText;
      add('KC205', {
        facts: [{ label: 'incoming', value: image.incoming.package, from: oneLine(facts.path) }],
        consequence:
          stated === null
            ? `its package states no agent, and what it brings could not be read: ${image.incoming.problem ?? 'no version was found'}`
            : `its package states the agent ${stated}, which is no version`,
        affects,
        remedy: { text: findingKind('KC205').remedy, commands: ['kata-check'] },
      });
      continue;
    }
    if (image.incoming === null && facts.problem !== null) {
      const code = facts.problem.kind === 'not-found' ? 'KC203' : 'KC202';
      add(code, {
        facts: [
          imageFact(image),
          ...(facts.resolvedPath === facts.path ? [] : [{ label: 'leads to', value: facts.resolvedPath, from: '' }]),
          ...[...new Set(image.usedBy.map(({ path }) => path))].map((value) => ({ label: 'used by', value, from: '' })),
        ],
        // As the node names it, not as it is called from outside of its root.
        consequence:
          code === 'KC203' ? `${oneLine(facts.resolvedPath)}: no such file or directory` : facts.problem.message,
        affects,
        remedy: {
          text: findingKind(code).remedy,
          commands: code === 'KC202' ? [`kata-check image ${shellWord(facts.path)}`] : [],
        },
      });
      continue;
    }
    const agent = image.incoming?.version ?? facts.agent?.version;
    if (agent === undefined) {
      add('KC201', {
        facts: [imageFact(image)],
        consequence: facts.unknown ?? 'no version was found',
        affects,
        remedy: { text: findingKind('KC201').remedy, commands: [] },
      });
      continue;
    }
    for (const runtime of users) {
      if (runtime.requirement === null) continue;
      const incoming = runtime.isIncoming ? 'incoming' : 'installed';
      const unfit = { title: `the guest image does not fit the ${incoming} Kata runtime` };
      const { otherwise } = runtime.requirement;
      const compared =
        otherwise === undefined || runtime.version === undefined ? undefined : compareProtocols(runtime.version, agent);
      if (compared !== undefined) {
        if (compared.code === null) continue;
        add(compared.code, {
          ...(compared.code === 'KC107' ? {} : unfit),
          facts: [runtimeFact(runtime), imageFact(image), ...missingFacts(compared)],
          consequence: consequenceOf(compared),
          affects,
          remedy: remedyFor(runtime, image, state.manager, compared),
        });
        continue;
      }
      const requirement = otherwise ?? runtime.requirement;
      if (isInRange(agent, requirement.range)) continue;
      const ruled = { ...runtime, requirement };
      const why = otherwise === undefined ? null : whyNotCovered(agent);
      add(requirement.isRule ? 'KC104' : 'KC101', {
        ...(requirement.isRule ? {} : unfit),
        facts: [runtimeFact(ruled), imageFact(image)],
        consequence: requirement.isRule
          ? `perhaps: nothing declares that agent ${agent.text} works with runtime ${runtime.version?.text ?? '?'}${why === null ? '' : `, and ${why}`}`
          : `containers may fail to start or at a later call: this runtime works with agent ${requirement.range.text}, not ${agent.text}`,
        affects,
        remedy: remedyFor(ruled, image, state.manager),
      });
    }
  }
  for (const measured of state.measured) {
    const { image, source, isConfigured, expected, actual, problem } = measured;
    if (isAsMeasured(measured)) continue;
    const code = problem === null ? 'KC106' : 'KC202';
    const parts = {
      facts: [
        {
          label: isConfigured ? 'configured' : 'expected',
          value: expected ?? 'no root hash of SHA-256',
          from: oneLine(source),
        },
        {
          label: 'image',
          value: actual ?? (problem === null && expected !== null ? 'no hash partition' : 'root hash unknown'),
          from: oneLine(image),
        },
      ],
      affects: [image, source],
      remedy: { text: findingKind(code).remedy, commands: [] },
    };
    if (isConfigured && expected !== null) {
      add(code, { ...parts, consequence: problem ?? 'the guest kernel refuses the image: no pod starts with it' });
      continue;
    }
    const doubt = isConfigured
      ? {
          title: 'the root hash in the configuration cannot be read',
          consequence: 'what is asked of the image is not known; a pod may not start with it',
        }
      : {
          title: 'the root hash that lies beside the guest image is not its own',
          consequence:
            'the configuration asks for no root hash, so that pods start; but this is not the image that the file came with',
        };
    findings.push({ ...parts, ...doubt, code, severity: severityOf(code, 'warn', policy) });
  }
  const changes =
    state.runtimes.some(({ isIncoming }) => isIncoming) || state.images.some(({ incoming }) => incoming !== null);
  if (changes && state.sandboxes !== null && state.sandboxes.running > 0) {
    const { running, ids } = state.sandboxes;
    const shown = ids.slice(0, 3).map((id) => id.slice(0, 13));
    add('KC301', {
      facts: [
        {
          label: 'running',
          value: `${running} ${running === 1 ? 'sandbox' : 'sandboxes'}`,
          from: shown.join(', ') + (running > shown.length ? ', …' : ''),
        },
      ],
      consequence: 'they keep the old pair until they end; operations that start a shim anew meet the new one',
      affects: ids,
      remedy: {
        text: findingKind('KC301').remedy,
        commands: [
          'kubectl drain NODE --ignore-daemonsets --delete-emptydir-data',
          'crictl pods --state ready',
          'kubectl uncordon NODE',
        ],
      },
    });
  }
  // Who installs something else need not hear of it each time.
  if (changes || !state.onlyChanges) {
    for (const { path, message } of state.unread) {
      add('KC202', {
        title: 'a configuration cannot be read',
        facts: [{ label: 'broken', value: path, from: '' }],
        consequence: `${message}; which images it names is not known`,
        affects: [path],
        remedy: { text: 'Correct the file: the runtime refuses it as well.', commands: [] },
      });
    }
    for (const { path, maskedBy, images } of state.configurations) {
      if (maskedBy === null) continue;
      const known = new Set(state.images.map(({ facts }) => facts.path));
      const hidden = images.filter((image) => !known.has(image.path)).map((image) => image.path);
      add('KC303', {
        facts: [{ label: 'masked', value: path, from: '' }],
        consequence: `${maskedBy} masks ${path}${hidden.length === 0 ? '' : `, which names ${hidden.join(', ')}`}`,
        affects: [path],
        remedy: { text: findingKind('KC303').remedy, commands: [`diff ${shellWord(path)} ${shellWord(maskedBy)}`] },
      });
    }
  }
  return findings;
}

export function runtimeFact(runtime: Runtime): Fact {
  const { requirement, versionSource } = runtime;
  const range =
    requirement === null ? 'requirement unknown' : `agent ${requirement.range.text} (${requirement.source})`;
  // A file beside the programs can be older than they are.
  const isFromFile = versionSource?.endsWith('/VERSION') === true;
  return {
    label: runtime.isIncoming ? 'incoming' : 'installed',
    value: `${runtime.name} ${runtime.versionText ?? 'of unknown version'}`,
    from: isFromFile ? `${range}\nversion from ${versionSource}` : range,
  };
}

export function imageFact(image: Image): Fact {
  const { facts, incoming } = image;
  const place = facts.partition === null ? facts.filesystem : `${facts.filesystem} in partition ${facts.partition}`;
  const how = [place, facts.agent?.source].filter((part) => part !== null && part !== undefined).join(', ');
  if (incoming !== null) {
    return {
      label: 'incoming',
      value: `agent ${incoming.version?.text ?? 'unknown'}`,
      from: oneLine(`${incoming.package}, for ${facts.path}`) + (incoming.isRead && how !== '' ? `\n${how}` : ''),
    };
  }
  return {
    label: 'installed',
    value: facts.agent === null ? 'agent unknown' : `agent ${facts.agent.version.text}`,
    from: how === '' ? oneLine(facts.path) : `${oneLine(facts.path)}\n${how}`,
  };
}

/** A row for each call that the agent does not have. Where no call gets through at all, which of them are missing is no matter. */
function missingFacts({ breaks, missing }: Comparison): Fact[] {
  if (breaks.length > 0) return [];
  return missing.map(({ name, feature }) => ({ label: 'missing', value: name, from: `called for ${feature}` }));
}

function remedyFor(
  runtime: Runtime,
  image: Image,
  manager: string | null,
  compared: Comparison | null = null,
): Finding['remedy'] {
  // Such an agent is in the range: what settles it is that both are of the same release.
  const wanted = compared?.code === 'KC107' ? (runtime.version?.text ?? '') : (runtime.requirement?.range.text ?? '');
  const keep =
    runtime.isIncoming && runtime.replaces !== null
      ? `, or keep ${runtime.name} at ${runtime.replaces}`
      : image.incoming !== null
        ? `, or keep the guest image that is installed`
        : '';
  const commands = commandsOf(managerOf(manager), runtime, image);
  return { text: `install a guest image with an agent ${wanted}${keep}; drain the node before`, commands };
}

/** Where a fact is from may take several lines, but a path takes one. */
function oneLine(text: string): string {
  return text.replaceAll('\n', '\\u000a');
}

/** With the other package, where there is one that stays; else without what comes. */
function commandsOf(manager: Manager | undefined, runtime: Runtime, image: Image): string[] {
  // A runtime that no package owns is named by its path.
  const runtimePackage = runtime.name.startsWith('/') ? null : runtime.name;
  const known = (names: readonly (string | null)[]): string[] => [...new Set(names.filter((name) => name !== null))];
  const comes = known([runtime.isIncoming ? runtimePackage : null, image.incoming === null ? null : image.package]);
  const all = known([...comes, runtimePackage, image.package]);
  if (manager === undefined || comes.length === 0) return [];
  const isHalf = comes.length === 1 && all.length === 2;
  const command = isHalf ? manager.install(all.map(shellWord)) : manager.hold(comes.map(shellWord));
  return command === null ? [] : [command];
}

/** A path or a name as a shell takes it. */
function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
