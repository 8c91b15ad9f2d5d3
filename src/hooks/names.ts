/**
 * The hooks there are, by the names that package managers call them with, and the arguments that each takes. They stand apart from the
 * hooks so that the usage can name them without loading them.
 */

export const hookNames = ['apt', 'dpkg', 'preinst', 'dnf', 'dnf5', 'zypper', 'rpm', 'pacman', 'tukit'] as const;
export type HookName = (typeof hookNames)[number];

/** Those that are not here take no argument. */
export const hookArguments: { readonly [name in HookName]?: string } = {
  dpkg: '[triggered [PATH]]',
  preinst: 'install|upgrade [VERSION…]',
  dnf5: '[planned]',
  rpm: 'prein [NAME [VERSION]]|triggered',
  pacman: 'before|removal|after',
  tukit: 'STAGE [PARAMETER…]',
};
