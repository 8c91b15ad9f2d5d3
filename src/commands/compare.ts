/**
 * `kata-check protocol compare OLD NEW`: what changed between two trees of .proto files. Ends with 10 when that is more than the step
 * from one release to the other allows.
 *
 * Of the Node form only: it is for release pipelines, not for nodes.
 */

import { Usage } from '../errors.ts';
import { protoFiles } from '../locate/proto-files.ts';
import { compareProtocols } from '../protocol/proto-compare.ts';
import { type Protocol, parseProtos } from '../protocol/proto-files.ts';
import { comparisonJson, comparisonText } from '../report/proto-compare.ts';
import { absolute, type Context, exitStatus, one } from './command.ts';
import { release } from './release.ts';

export async function run(context: Context): Promise<number> {
  const { host, flags, positionals } = context;
  const [old, next, ...rest] = positionals.slice(1);
  if (old === undefined || next === undefined || rest.length > 0)
    throw new Usage('compare takes two trees or .proto files');
  const [from = null, to = null] = ['from', 'to'].map((name) => {
    const text = one(context, name);
    return text === undefined ? null : release(text, `--${name}`).version;
  });
  const read = (path: string): Protocol => parseProtos(protoFiles(host, absolute(host, path)));
  const compared = compareProtocols(read(old), read(next), from, to);
  if (flags.has('json')) host.write(1, comparisonJson(compared, from, to));
  else if (!flags.has('quiet')) host.write(1, comparisonText(compared, from, to));
  return compared.isTooSmall ? exitStatus.blocked : exitStatus.goAhead;
}
