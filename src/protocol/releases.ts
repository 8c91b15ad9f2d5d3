/** The releases that the protocol's tables cover. Data and nothing else, apart from the history, which no check of a node needs. */

/** The first release of the table, whose protocol is 1.0, and the last minor version that was looked at. */
export const firstRelease = '1.0.0';
export const lastMinor = '4.1';

/** The last minor version of each major one. There is no 1.13, no 2.6 and no 3.33: of what calls itself so, nothing is known. */
export const lastMinors: ReadonlyMap<number, number> = new Map([
  [1, 12],
  [2, 5],
  [3, 32],
  [4, 1],
]);

/**
 * Pre-releases that already speak as their release does: the first of them. Both sides of 2.0.0-alpha1 speak ttRPC (kata-containers 2.0.0-alpha1,
 * src/agent/Cargo.toml line 15, src/runtime/virtcontainers/pkg/agent/protocols/client/client.go line 136).
 */
export const earlyBuilds: ReadonlyMap<string, string> = new Map([['2.0.0', '2.0.0-alpha1']]);
