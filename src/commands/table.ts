/**
 * All commands and their options: what the arguments are checked against, what the usage shows and what a shell completes.
 */

import { hookArguments, hookNames } from '../hooks/names.ts';
import { type Command, formats, type Option, type Options, shells } from './command.ts';

/** What every command takes. */
const always: Options = {
  color: {
    type: 'string',
    valueHint: 'auto|always|never',
    description: 'colours in the text',
    values: ['auto', 'always', 'never'],
  },
  version: { type: 'boolean', alias: 'V', description: 'the version of kata-check' },
  help: { type: 'boolean', alias: 'h', description: 'this text' },
};

const verbose: Option = { type: 'boolean', description: 'say where each value comes from' };

const common: Options = {
  json: { type: 'boolean', description: 'one JSON document on standard output' },
  quiet: { type: 'boolean', description: 'no text; the exit status tells' },
  verbose,
  ...always,
};

const root: Option = { type: 'string', valueHint: 'DIR', description: 'look at the installation below DIR' };

const checking: Options = {
  to: { type: 'string', valueHint: 'VERSION', description: "the incoming runtime's version" },
  requires: {
    type: 'string',
    valueHint: 'RANGE',
    description: 'the agent versions that it works with',
  },
  image: { type: 'string', valueHint: 'PATH', description: 'judge this image only (repeatable)', isRepeatable: true },
  root,
  prefix: { type: 'string', valueHint: 'DIR', description: 'where a static tarball is installed' },
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
    description: 'this finding only warns (repeatable)',
    isRepeatable: true,
  },
  strict: { type: 'boolean', description: 'warnings count as blocks' },
  format: {
    type: 'string',
    valueHint: 'FORMAT',
    description: formats.join(', '),
    values: formats,
  },
  output: { type: 'string', valueHint: 'FILE', description: 'write to FILE, all at once, as metrics need it' },
};

/** What runs when no command is named. */
export const main: Command = {
  name: '',
  description: 'Does the guest image still fit the Kata Containers runtime, before and after an upgrade?',
  positional: '[PACKAGE…]',
  options: { ...checking, ...common },
  load: () => import('./check.ts'),
};

export const commands: readonly Command[] = [
  {
    name: 'image',
    description: 'say what guest images hold; judges nothing',
    positional: 'PATH…',
    options: {
      deep: { type: 'boolean', description: "read the agent's binary too, and compare" },
      root,
      ...common,
    },
    load: () => import('./image.ts'),
  },
  {
    name: 'hook',
    description: 'what package managers call',
    positional: 'NAME [ARGS…]',
    details: [
      'NAME is one of the following. The standard input is what the package manager writes to its hooks.',
      ...hookNames.map((name) => `  ${name} ${hookArguments[name] ?? ''}`.trimEnd()),
    ],
    options: { verbose, ...always },
    load: () => import('./hook.ts'),
  },
  {
    name: 'protocol',
    description: 'the history of the agent protocol',
    positional: '[FROM [TO]]',
    details: [
      'FROM TO       what changed between two releases, and what a runtime FROM and an agent TO',
      '              make of it, as shipped and on this node: row by row, with its source',
      'FILE [FILE]   what programs, guest images or packages say of it themselves; of two,',
      '              whether the first as runtime and the second as agent fit (else 10)',
      'compare OLD NEW',
      '              what changed between two trees of .proto files (only in the Node.js form);',
      '              ends with 10 when the step from --from to --to is too small for it',
    ],
    options: {
      from: { type: 'string', valueHint: 'VERSION', description: 'compare: the release of OLD' },
      to: { type: 'string', valueHint: 'VERSION', description: 'compare: what the release of NEW is to be' },
      root: checking.root as Option,
      ...common,
    },
    load: () => import('./protocol.ts'),
  },
  {
    name: 'explain',
    description: 'what a finding means and how to allow it',
    positional: '[CODE]',
    options: common,
    load: () => import('./explain.ts'),
  },
  {
    name: 'completion',
    description: 'a completion script for your shell',
    positional: shells.join('|'),
    options: always,
    load: () => import('./completion.ts'),
  },
];
