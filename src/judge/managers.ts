/**
 * The package managers that ask, in the words of the person who called them: how to go on in spite of a finding, and commands to copy.
 */

import { repeated } from './shell.ts';

export type Keep =
  | { readonly by: 'hold'; hold(packages: readonly string[]): string; release(packages: readonly string[]): string }
  | { readonly by: 'option'; words(packages: readonly string[]): readonly string[] };

export interface Manager {
  /** As the message names it: `stopped apt`. */
  readonly name: string;
  /** Its programs, all of which know the options that are given here. */
  readonly programs: readonly string[];
  /** A finding can stop it; the others are only told. */
  readonly canBeStopped: boolean;
  /** What lets one finding pass for one run: an option of the manager, or a variable of its environment. */
  readonly allow: { readonly by: 'option' | 'environment'; words(code: string): readonly string[] };
  /** Brings these packages together; null where the files would have to be named. */
  install(packages: readonly string[]): string | null;
  /** Keeps these packages as they are: for good, until it is undone, or for one run by an option; null where the manager cannot. */
  readonly keep: Keep | null;
  /** What it prints after a stop does not tell that kata-check stopped it. */
  readonly hidesStop: boolean;
}

const inEnvironment: Manager['allow'] = { by: 'environment', words: (code) => [`KATA_CHECK_ALLOW=${code}`] };

const line =
  (...words: readonly string[]) =>
  (packages: readonly string[]): string =>
    [...words, ...packages].join(' ');

const markHold: Keep = { by: 'hold', hold: line('apt-mark', 'hold'), release: line('apt-mark', 'unhold') };
// versionlock needs a plugin of dnf that few nodes have, and stays for ever.
const exclude: Keep = { by: 'option', words: (packages) => packages.map((name) => `--exclude=${name}`) };
const lock: Keep = { by: 'hold', hold: line('zypper', 'addlock'), release: line('zypper', 'removelock') };

export const managers: readonly Manager[] = [
  {
    name: 'apt',
    programs: ['apt', 'apt-get', 'aptitude'],
    canBeStopped: true,
    allow: { by: 'option', words: (code) => ['-o', `KataCheck::Allow=${code}`] },
    install: line('apt-get', 'install'),
    keep: markHold,
    hidesStop: true,
  },
  {
    name: 'dpkg',
    programs: ['dpkg'],
    canBeStopped: true,
    allow: inEnvironment,
    install: () => null,
    keep: markHold,
    hidesStop: true,
  },
  // A plugin of dnf 4 sees no option of its own.
  {
    name: 'dnf',
    programs: ['dnf', 'dnf-3', 'yum'],
    canBeStopped: true,
    allow: inEnvironment,
    install: line('dnf', 'install'),
    keep: exclude,
    hidesStop: false,
  },
  {
    name: 'dnf5',
    programs: ['dnf5', 'dnf', 'yum'],
    canBeStopped: true,
    allow: { by: 'option', words: (code) => [`--setvar=kata_check_allow=${code}`] },
    install: line('dnf5', 'install'),
    keep: exclude,
    hidesStop: false,
  },
  {
    name: 'zypper',
    programs: ['zypper'],
    canBeStopped: false,
    allow: inEnvironment,
    install: line('zypper', 'install'),
    keep: lock,
    hidesStop: false,
  },
  {
    name: 'rpm',
    programs: ['rpm'],
    canBeStopped: false,
    allow: inEnvironment,
    install: () => null,
    keep: null,
    hidesStop: false,
  },
  {
    name: 'pacman',
    programs: ['pacman'],
    canBeStopped: true,
    allow: inEnvironment,
    install: line('pacman', '-S'),
    // For one run; for good it is IgnorePkg in pacman.conf.
    keep: { by: 'option', words: (packages) => [`--ignore=${packages.join(',')}`] },
    hidesStop: true,
  },
  {
    name: 'transactional-update',
    programs: ['transactional-update'],
    canBeStopped: true,
    allow: inEnvironment,
    install: line('transactional-update', 'pkg', 'install'),
    keep: lock,
    hidesStop: false,
  },
];

/** Undefined by hand, and for what is no package manager. */
export function managerOf(name: string | null): Manager | undefined {
  return managers.find((manager) => manager.name === name);
}

/** The way past one finding for one run: the whole command where the manager's command line is known, else what is to be added to it. */
export function overrideOf({ name, allow }: Manager, code: string, commandLine: readonly string[] | null): string {
  const words = allow.words(code);
  const command = repeated(commandLine, allow.by === 'option' ? { words } : { variables: words });
  if (command !== null) return command;
  return allow.by === 'option'
    ? `give ${name} the option  ${words.join(' ')}`
    : `set  ${words.join(' ')}  in the environment of ${name}`;
}
