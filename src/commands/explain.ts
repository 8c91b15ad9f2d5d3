/**
 * `kata-check explain [CODE]`: every finding in a line, or all about one.
 */

import { Usage } from '../errors.ts';
import { codes, findingKinds } from '../judge/findings.ts';
import { explainText } from '../report/text.ts';
import { type Context, exitStatus } from './command.ts';
import { suggestion } from './suggestion.ts';

export async function run({ host, positionals, flags }: Context): Promise<number> {
  const [code, ...rest] = positionals;
  if (rest.length > 0) throw new Usage(`explain takes one code, not ${rest[0]} as well`);
  const kinds = findingKinds.filter((kind) => code === undefined || kind.code === code.toUpperCase());
  if (kinds.length === 0)
    throw new Usage(
      `${code} is not the code of a finding; kata-check explain lists all codes${suggestion(code ?? '', codes)}`,
    );
  if (flags.has('json')) host.write(1, `${JSON.stringify({ schema: 1, findings: kinds }, null, 2)}\n`);
  else if (code !== undefined) host.write(1, kinds.map(explainText).join('\n'));
  else host.write(1, kinds.map((kind) => `${kind.code}  ${kind.severity.padEnd(5)}  ${kind.title}\n`).join(''));
  return exitStatus.goAhead;
}
