/**
 * Lines for a terminal: what is said of something, each with a label before it.
 */

/** Of a terminal. */
export const width = 80;
/** Where what is said begins. */
export const valueColumn = 14;

/**
 * Lines of at most `columns`, broken at blanks, else behind a slash, else anywhere. `isToCopy`: a word with a slash in it is a path, and
 * stays whole however long it is.
 */
export function wrap(text: string, columns: number, isToCopy = false): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > columns) {
    const blank = rest.lastIndexOf(' ', columns);
    const [word = ''] = rest.split(' ', 1);
    const slash = rest.lastIndexOf('/', columns - 1) + 1;
    const end = blank > 0 ? blank : isToCopy && word.includes('/') ? word.length : slash > 1 ? slash : columns;
    lines.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  return rest === '' && lines.length > 0 ? lines : [...lines, rest];
}

export function row(label: string, text: string): string {
  return `  ${label.padEnd(valueColumn - 3)} ${text}`.trimEnd();
}

/** For 80 columns, but paths are not broken: they are there to be copied. */
export function rows(label: string, lines: readonly string[]): string[] {
  const wrapped = lines.flatMap((line) => (line.startsWith('/') ? [line] : wrap(line, width - valueColumn, true)));
  return wrapped.map((line, index) => row(index === 0 ? label : '', line));
}
