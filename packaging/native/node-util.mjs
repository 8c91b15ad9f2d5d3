/**
 * What citty takes from `node:util`. citty only writes the usage; src/cli.ts checks all arguments, so there is nothing to parse;
 * the full parser (@pkgjs/parseargs) would cost 3 of the native program's 5 milliseconds.
 */

export function parseArgs({ args }) {
  if (args.length > 0) throw new Error('arguments are parsed in src/cli.ts');
  return { values: {}, positionals: [] };
}
