/**
 * The package managers that ask, in the words of the person who called them: how to go on in spite of a finding, and commands to copy.
 */

import { repeated } from './shell.ts';

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
  /** Keeps these packages as they are; null where the manager cannot. */
  hold(packages: readonly string[]): string | null;
}

const inEnvironment: Manager['allow'] = { by: 'environment', words: (code) => [`KATA_CHECK_ALLOW=${code}`] };

const line =
  (...words: readonly string[]) =>
  (packages: readonly string[]): string =>
    [...words, ...packages].join(' ');

export const managers: readonly Manager[] = [
  {
    name: 'apt',
    programs: ['apt', 'apt-get', 'aptitude'],
    canBeStopped: true,
    allow: { by: 'option', words: (code) => ['-o', `KataCheck::Allow=${code}`] },
    install: line('apt-get', 'install'),
    hold: line('apt-mark', 'hold'),
  },
  {
    name: 'dpkg',
    programs: ['dpkg'],
    canBeStopped: true,
    allow: inEnvironment,
    install: () => null,
    hold: line('apt-mark', 'hold'),
  },
  // A plugin of dnf 4 sees no option of its own.
  {
    name: 'dnf',
    programs: ['dnf', 'dnf-3', 'yum'],
    canBeStopped: true,
    allow: inEnvironment,
    install: line('dnf', 'install'),
    hold: line('dnf', 'versionlock', 'add'),
  },
  {
    name: 'dnf5',
    programs: ['dnf5', 'dnf', 'yum'],
    canBeStopped: true,
    allow: { by: 'option', words: (code) => [`--setvar=kata_check_allow=${code}`] },
    install: line('dnf5', 'install'),
    hold: line('dnf5', 'versionlock', 'add'),
  },
  {
    name: 'zypper',
    programs: ['zypper'],
    canBeStopped: false,
    allow: inEnvironment,
    install: line('zypper', 'install'),
    hold: line('zypper', 'addlock'),
  },
  {
    name: 'rpm',
    programs: ['rpm'],
    canBeStopped: false,
    allow: inEnvironment,
    install: () => null,
    hold: () => null,
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
