/**
 * What an rpm states of Kata by its Provides, as rpm has no fields of one's own: `kata-agent = VERSION` is the agent in the guest
 * image, `kata-agent-requires(min) = VERSION` and `kata-agent-requires(max) = VERSION` are `>=min <max`, either alone too.
 * Form: rpm-dependencies(7); a version is `[EPOCH:]VERSION[-RELEASE]`, in which `~rc1` is before and `^git1` after the release.
 */

import { compareVersions, parseVersion } from '../version.ts';
import type { Declared } from './declared.ts';

/** The two, and what stands between the package's other Provides in rpm's queries. */
const provide = /^(?<name>kata-agent|kata-agent-requires\((?:min|max)\)) = (?<version>\S{1,256})$/;

/** Each as `NAME = VERSION`, as rpm's PROVIDENEVRS and dnf's `provides` have it; those without a version, or with another sign, state nothing. */
export function declaredByProvides(provides: Iterable<string>): Declared {
  const lower: string[] = [];
  const upper: string[] = [];
  const agents: string[] = [];
  for (const text of provides) {
    const { name, version = '' } = provide.exec(text.trim())?.groups ?? {};
    if (name === undefined) continue;
    if (name === 'kata-agent') agents.push(version);
    else if (name.endsWith('(min)')) lower.push(`>=${asInRanges(version)}`);
    else upper.push(`<${asInRanges(version)}`);
  }
  // rpm sorts them by name, in which the upper bound comes first.
  const bounds = [...lower, ...upper];
  return { agentRequires: bounds.length === 0 ? null : bounds.join(' '), agentVersion: theOnly(agents) };
}

/** `1:3.4.0~rc1-2` is `3.4.0-rc1`; what is of no known form stays, so that it is seen to be none. */
function asInRanges(version: string): string {
  return parseVersion(version)?.text ?? version.replace(/^[0-9]+:/, '');
}

/** A package with images of several agents states none for all of them. */
function theOnly(agents: readonly string[]): string | null {
  const [first = null] = agents;
  const versions = agents.map(parseVersion);
  const isOne = agents.every((text, index) => {
    const [version, other] = [versions[index], versions[0]];
    return text === first || (version !== undefined && other !== undefined && compareVersions(version, other) === 0);
  });
  return isOne ? first : null;
}
