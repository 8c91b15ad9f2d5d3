/**
 * The hooks there are, by the names that package managers call them with. They stand apart from the hooks so that the usage can name
 * them without loading them.
 */

export const hookNames = ['apt', 'dpkg', 'preinst', 'dnf', 'dnf5', 'zypper', 'rpm'] as const;
export type HookName = (typeof hookNames)[number];
