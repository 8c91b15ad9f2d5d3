/**
 * What `kata-check image` says, as text.
 */

import type { ImageFacts } from '../read/image.ts';
import { printable } from './printable.ts';
import { rows } from './rows.ts';

const tables = { mbr: 'MBR', gpt: 'GPT', none: 'no partition table' } as const;

/** What `kata-check image` says of one image. */
export function imageText(image: ImageFacts): string {
  const facts: [string, string][] = [];
  if (image.resolvedPath !== image.path) facts.push(['resolves to', image.resolvedPath]);
  if (image.form === 'disk' && image.table !== null) {
    const partitions =
      image.table === 'none' ? '' : `, ${image.partitions} partition${image.partitions === 1 ? '' : 's'}`;
    facts.push(['form', `disk, ${tables[image.table]}${partitions}${image.dax === true ? ', DAX header' : ''}`]);
  }
  if (image.form === 'initrd') facts.push(['form', `initrd, ${image.compression ?? 'not compressed'}`]);
  if (image.filesystem !== null && image.form === 'disk') {
    const where = image.partition === null ? '' : ` in partition ${image.partition}`;
    facts.push(['filesystem', `${image.filesystem}${where}, from byte ${image.offset}`]);
  }
  const { agent, problem } = image;
  if (problem !== null) facts.push(['problem', `${problem.kind}: ${problem.message}`]);
  else if (agent !== null) facts.push(['agent', `${agent.version.text}  (${agent.source}, ${agent.path})`]);
  else if (image.kind === 'extension') facts.push(['agent', 'none, which is right for an extension image only']);
  else facts.push(['agent', `unknown: ${image.unknown ?? 'no version was found'}`]);
  if (agent !== null && agent.version.commit !== null) facts.push(['commit', agent.version.commit]);
  if (image.unchecked !== null) facts.push(['unchecked', image.unchecked]);
  if (image.contradiction !== null)
    facts.push(['contradicts', `the agent's binary says ${image.contradiction.version.text}  [KC105]`]);
  for (const note of image.notes) facts.push(['note', note]);
  return [printable(image.path), ...facts.flatMap(([label, text]) => rows(label, [printable(text)])), ''].join('\n');
}
