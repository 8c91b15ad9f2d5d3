/**
 * The package managers that ask, in the words of the person who called them: how to go on in spite of a finding, and commands to copy.
 */

export interface Manager {
  /** As the message names it: `stopped apt`. */
  readonly name: string;
  /** A finding can stop it; the others are only told. */
  readonly canBeStopped: boolean;
  /** The way past one finding, for one run. */
  override(code: string): string;
  /** Brings these packages together; null where the files would have to be named. */
  install(packages: readonly string[]): string | null;
  /** Keeps these packages as they are; null where the manager cannot. */
  hold(packages: readonly string[]): string | null;
}

const inEnvironment =
  (program: string) =>
  (code: string): string =>
    `KATA_CHECK_ALLOW=${code} ${program} …`;

const line =
  (...words: readonly string[]) =>
  (packages: readonly string[]): string =>
    [...words, ...packages].join(' ');

export const managers: readonly Manager[] = [
  {
    name: 'apt',
    canBeStopped: true,
    override: (code) => `apt -o KataCheck::Allow=${code} …`,
    install: line('apt-get', 'install'),
    hold: line('apt-mark', 'hold'),
  },
  {
    name: 'dpkg',
    canBeStopped: true,
    override: inEnvironment('dpkg'),
    install: () => null,
    hold: line('apt-mark', 'hold'),
  },
  // A plugin of dnf 4 sees no option of its own.
  {
    name: 'dnf',
    canBeStopped: true,
    override: inEnvironment('dnf'),
    install: line('dnf', 'install'),
    hold: line('dnf', 'versionlock', 'add'),
  },
  {
    name: 'dnf5',
    canBeStopped: true,
    override: (code) => `dnf5 --setvar=kata_check_allow=${code} …`,
    install: line('dnf5', 'install'),
    hold: line('dnf5', 'versionlock', 'add'),
  },
  {
    name: 'zypper',
    canBeStopped: false,
    override: inEnvironment('zypper'),
    install: line('zypper', 'install'),
    hold: line('zypper', 'addlock'),
  },
  { name: 'rpm', canBeStopped: false, override: inEnvironment('rpm'), install: () => null, hold: () => null },
];

/** Undefined by hand, and for what is no package manager. */
export function managerOf(name: string | null): Manager | undefined {
  return managers.find((manager) => manager.name === name);
}
