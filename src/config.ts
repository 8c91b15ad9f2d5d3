/**
 * What the admin configured: defaults < /etc/kata-check.conf < /etc/kata-check.conf.d/*.conf < environment < what the package
 * manager's command line says < options. Each value keeps its origin.
 */

import { parse } from 'ini';
import { type Config, defaults, type Loaded, type Override, origin, readConfig, type Written } from './defaults.ts';
import type { Host } from './host/host.ts';
import { codes, severities } from './judge/findings.ts';
import { parseRule } from './state/rule.ts';
import type { Origin } from './state/settings.ts';
import { parseRange } from './version.ts';

const modes = ['block', 'warn', 'off'] as const;

/** `path`: the file given by the user, which then must be there; undefined for the usual ones. Throws Usage. */
export function loadConfig(host: Host, path: string | undefined, overrides: readonly Override[]): Loaded {
  return understood(readConfig(host, path, overrides));
}

export function understood(written: Written): Loaded {
  const mistakes: string[] = [];
  let config = defaults;
  for (const file of written.files) {
    if (typeof file === 'string') mistakes.push(file);
    else config = merge(config, file.path, file.text, mistakes);
  }
  for (const override of written.overrides) config = applyOverride(config, override, mistakes);
  return { config, mistakes, warnings: written.warnings };
}

type Value = string | readonly string[] | boolean | null | { readonly [key: string]: Value };

function merge(base: Config, file: string, text: string, mistakes: string[]): Config {
  const config = { ...base, severity: new Map(base.severity) };
  const lines = linesOf(text);
  let section = topLevel;
  /** Of the key's `index`th line when it is a list, else of its last one, which is the one that counts. */
  const place = (key: string, index = -1): string => {
    const line = lines.get(section)?.get(key)?.at(index);
    return line === undefined ? file : `${file}, line ${line}`;
  };
  const wrong = (key: string, problem: string): void => {
    mistakes.push(`${place(key)}: ${problem}`);
  };
  const list = (key: string, value: Value): Origin<string>[] => {
    if (typeof value === 'string') return [origin(value, place(key))];
    if (Array.isArray(value) && value.every((entry) => typeof entry === 'string'))
      return value.map((entry, index) => origin(entry, place(key, index)));
    wrong(key, `${key} takes a list: ${key}[] = …`);
    return [];
  };
  const inSection = (name: string, value: Value, use: (key: string, value: Value) => void): void => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      wrong(name, `[${name}] is a section`);
      return;
    }
    section = name;
    for (const [key, entry] of Object.entries(value)) use(key, entry);
    section = topLevel;
  };
  const scalars: Readonly<Record<string, (text: string) => void>> = {
    mode: (value) => {
      const mode = modes.find((known) => known === value);
      if (mode === undefined) wrong('mode', `mode is block, warn or off, not ${value}`);
      else config.mode = origin(mode, place('mode'));
    },
    rule: (value) => {
      const rule = parseRule(value);
      if (rule === undefined) wrong('rule', `rule is exact, minor or skew=N, not ${value}`);
      else config.rule = origin(rule, place('rule'));
    },
    deadline: (value) => {
      if (/^[1-9][0-9]{0,3}$/.test(value)) config.deadline = origin(Number(value), place('deadline'));
      else wrong('deadline', `deadline is a number of seconds from 1 to 9999, not ${value}`);
    },
  };
  const sections: Readonly<Record<string, (key: string, value: Value) => void>> = {
    severity: (key, value) => {
      const severity = severities.find((known) => known === value);
      if (!codes.includes(key)) wrong(key, `${key} is not the code of a finding; kata-check explain lists all codes`);
      else if (severity === undefined)
        wrong(key, `the severity of ${key} is info, warn or block, not ${written(value)}`);
      else config.severity.set(key, origin(severity, place(key)));
    },
    requires: (key, value) => {
      const runtime = parseRange(key);
      const agent = typeof value === 'string' ? parseRange(value) : undefined;
      if (runtime === undefined) wrong(key, `[requires] ${key} is not a range of runtime versions`);
      else if (agent === undefined) wrong(key, `[requires] ${written(value)} is not a range of agent versions`);
      else config.requires = [...config.requires, origin({ runtime, agent }, `${place(key)}: [requires] ${key}`)];
    },
    packages: (key, value) => {
      if (key === 'runtime') config.runtimePackages = list(key, value);
      else if (key === 'image') config.imagePackages = list(key, value);
      else wrong(key, `[packages] has runtime[] and image[], not ${key}`);
    },
    images: (key, value) => {
      const isKnown = key === 'path' || key === 'rebuilt';
      if (!isKnown) wrong(key, `[images] has path[] and rebuilt[], not ${key}`);
      for (const path of isKnown ? list(key, value) : []) {
        if (!path.value.startsWith('/')) mistakes.push(`${path.from}: [images] ${path.value} is not an absolute path`);
        else if (key === 'path') config.images = [...config.images, path];
        else config.rebuiltImages = [...config.rebuiltImages, path];
      }
    },
  };
  let document: { readonly [key: string]: Value };
  try {
    document = parse(text) as typeof document;
  } catch {
    mistakes.push(`${file}: a section has the name of a key`);
    return base;
  }
  // The parser drops these without a word.
  for (const name of lines.keys()) {
    section = name;
    if (lines.get(name)?.has(unattached)) wrong(unattached, `unknown key ${unattached}`);
  }
  section = topLevel;
  for (const [key, value] of Object.entries(document)) {
    const scalar = Object.hasOwn(scalars, key) ? scalars[key] : undefined;
    const use = Object.hasOwn(sections, key) ? sections[key] : undefined;
    if (key === 'allow') config.allow = [...config.allow, ...knownCodes(list(key, value), mistakes)];
    else if (scalar !== undefined && typeof value === 'string') scalar(value);
    else if (scalar !== undefined) wrong(key, `${key} needs one value`);
    else if (use !== undefined) inSection(key, value, use);
    else wrong(key, unknown(key, value));
  }
  return config;
}

function unknown(key: string, value: Value): string {
  return typeof value === 'object' && !Array.isArray(value) ? `unknown section [${key}]` : `unknown key ${key}`;
}

/** A section inside a section has no text of its own, and no way to make one. */
function written(value: Value): string {
  return typeof value === 'object' && value !== null ? 'a section or a list' : String(value);
}

const topLevel = '';
const unattached = '__proto__';

/** On which lines each key of each section stands, in the order of the file; a section itself is a key of the top level. */
function linesOf(text: string): ReadonlyMap<string, ReadonlyMap<string, readonly number[]>> {
  const top = new Map<string, number[]>();
  const sections = new Map([[topLevel, top]]);
  let keys = top;
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(?:[;#]|$)/.test(line)) continue;
    const heading = /^\[([^\]]*)\]\s*$/.exec(line)?.[1];
    const [written = ''] = (heading ?? line).split(/[=;#]/, 1);
    const key = written
      .trim()
      .replace(/^(["'])(.*)\1$/, '$2')
      .replace(/\[\]$/, '');
    const place = heading === undefined ? keys : top;
    const known = place.get(key);
    if (known === undefined) place.set(key, [index + 1]);
    else known.push(index + 1);
    if (heading === undefined) continue;
    keys = sections.get(key) ?? new Map<string, number[]>();
    sections.set(key, keys);
  }
  return sections;
}

function knownCodes(allow: readonly Origin<string>[], mistakes: string[]): Origin<string>[] {
  return allow.filter(({ value, from }) => {
    if (codes.includes(value)) return true;
    mistakes.push(`${from}: ${value} is not the code of a finding; kata-check explain lists all codes`);
    return false;
  });
}

function applyOverride(config: Config, override: Override, mistakes: string[]): Config {
  const { from } = override;
  const mode = modes.find((known) => known === override.mode);
  if (override.mode !== undefined && mode === undefined) {
    mistakes.push(`${from}: the mode is block, warn or off, not ${override.mode}`);
  }
  const allow = (override.allow ?? []).map((code) => origin(code, from));
  return {
    ...config,
    mode: mode === undefined ? config.mode : origin(mode, from),
    allow: [...config.allow, ...knownCodes(allow, mistakes)],
    strict: override.strict === true ? origin(true, from) : config.strict,
  };
}

/** Every value with its origin, for --verbose. */
export function describeConfig(config: Config): string[] {
  const { rule } = config;
  const line = (name: string, value: string, from: string): string => `${name} = ${value}  (${from})`;
  return [
    line('mode', config.mode.value, config.mode.from),
    line('rule', rule.value.kind === 'skew' ? `skew=${rule.value.minors}` : rule.value.kind, rule.from),
    line('deadline', `${config.deadline.value}`, config.deadline.from),
    line('strict', `${config.strict.value}`, config.strict.from),
    ...config.allow.map(({ value, from }) => line('allow', value, from)),
    ...[...config.severity].map(([code, { value, from }]) => line(`severity ${code}`, value, from)),
    ...config.requires.map(({ value, from }) => line(`requires ${value.runtime.text}`, value.agent.text, from)),
    ...config.runtimePackages.map(({ value, from }) => line('runtime package', value, from)),
    ...config.imagePackages.map(({ value, from }) => line('image package', value, from)),
    ...config.images.map(({ value, from }) => line('image', value, from)),
  ];
}
