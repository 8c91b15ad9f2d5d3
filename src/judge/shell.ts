/**
 * Commands for a person to copy into a shell: they run as they are printed.
 */

/** Longer command lines name many files, and nobody copies them; in characters. */
const longestCommand = 400;
/** What a word with a password in it looks like: the report is shown to others, and kept. */
const confidential = /:\/\/[^/\s]*@|passw|secret|token/i;

/** A path or a name as a shell takes it. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * A command line, its program first, once more: with these variables before it, and with these words behind the name of the program. Null
 * where it is not known, too long, of letters that a terminal does not show, or where it may hold a password.
 */
export function repeated(
  commandLine: readonly string[] | null,
  { variables = [], words = [] }: { readonly variables?: readonly string[]; readonly words?: readonly string[] },
): string | null {
  const [program, ...rest] = commandLine ?? [];
  if (program === undefined) return null;
  const command = [...variables, ...[program, ...words, ...rest].map(shellWord)].join(' ');
  const isUnfit = command.length > longestCommand || /\p{C}/u.test(command) || confidential.test(command);
  return isUnfit ? null : command;
}
