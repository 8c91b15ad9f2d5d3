/**
 * The six ways in which looking at something can fail. A finding carries the kind on, so that
 * "broken" is never taken for "absent". Every message names the file and the place in it.
 */

export type ProblemKind = 'not-found' | 'unsupported' | 'corrupt' | 'limit-exceeded' | 'io' | 'usage';

export abstract class Problem extends Error {
  abstract readonly kind: ProblemKind;
}

/** The file, directory or program is not there. */
export class NotFound extends Problem {
  readonly kind = 'not-found';
}

/** The thing is whole, as far as can be seen, but of a form that is not read: the message names the form. */
export class Unsupported extends Problem {
  readonly kind = 'unsupported';
}

/** The bytes contradict the format. */
export class Corrupt extends Problem {
  readonly kind = 'corrupt';
}

/** One of the named limits was reached; the message names the limit and its value. */
export class LimitExceeded extends Problem {
  readonly kind = 'limit-exceeded';
}

/** The operating system refused or failed: permission, input/output error, a program that failed. */
export class Io extends Problem {
  readonly kind = 'io';
}

/** Wrong use or wrong configuration: exit status 2. */
export class Usage extends Problem {
  readonly kind = 'usage';
}

/** What the action returns; undefined where it throws a Problem. */
export function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}
