/**
 * `kata-check image PATH…`: says what guest images hold, and judges nothing.
 */

import { firstDeadline } from '../defaults.ts';
import { Usage } from '../errors.ts';
import { readImage } from '../read/image.ts';
import { imageText } from '../report/image-text.ts';
import { absolute, type Context, exitStatus, rootOf } from './command.ts';

export async function run(context: Context): Promise<number> {
  const { host, flags, positionals } = context;
  if (positionals.length === 0) throw new Usage('which image?');
  const { rooted } = rootOf(context);
  const images = [];
  for (const path of positionals) {
    const deadline = host.now() + firstDeadline;
    images.push(await readImage(rooted, absolute(host, path), { deadline, deep: flags.has('deep') }));
  }
  if (flags.has('json')) host.write(1, (await import('../report/json.ts')).imagesJson(images));
  else if (!flags.has('quiet')) host.write(1, images.map(imageText).join('\n'));
  const isInDoubt = images.some(({ problem, kind, agent }) => problem !== null || (kind === 'guest' && agent === null));
  return isInDoubt ? exitStatus.undetermined : exitStatus.goAhead;
}
