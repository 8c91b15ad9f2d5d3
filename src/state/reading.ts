/**
 * Who reads which configuration, with a guest image: what the protocol's tables are asked with.
 */

import type { Reader } from '../protocol/reach.ts';
import { type Language, type Settings, unknownSettings } from '../protocol/settings.ts';
import { fits, type Image, type Reading, type Runtime } from './node.ts';

/** Configurations, and whether it is certain that they are read with the image: where nobody names it, each may be the one. */
export interface Reads {
  readonly readers: readonly Reader[];
  readonly isSure: boolean;
}

/** Only a configuration of runtime-rs says which hypervisor it uses: that runtime does not start without. */
function languageIn({ values, hypervisors, isPartial }: Settings): Language | null {
  if (values.has('runtime.hypervisor_name')) return 'rust';
  return isPartial || hypervisors.length === 0 ? null : 'go';
}

/** Of all images, where none is given: the configurations that this runtime reads. */
export function readsOf(
  { configurations, languages, architecture }: Reading,
  runtime: Pick<Runtime, 'prefix' | 'language'>,
  image: Image | null,
): Reads {
  const languagesFor = (settings: Settings, reader: Language | null): readonly Language[] => {
    const inside = languageIn(settings);
    const certain = reader ?? (inside === 'rust' ? inside : (runtime.language ?? inside));
    return certain === null ? languages : [certain];
  };
  const users = image === null ? null : image.usedBy;
  const read = configurations.flatMap(({ settings, readers }) =>
    readers
      .filter(({ prefix, language }) => fits(prefix, runtime.prefix) && fits(language, runtime.language))
      .map(({ language }) => ({
        path: settings.path,
        reader: { languages: languagesFor(settings, language), settings },
      })),
  );
  const own = read.filter(({ path }) => users === null || users.some((user) => user.path === path));
  if (own.length > 0) return { readers: own.map(({ reader }) => reader), isSure: true };
  if (read.length > 0) return { readers: read.map(({ reader }) => reader), isSure: false };
  const some = runtime.language === null ? languages : [runtime.language];
  return { readers: [{ languages: some, settings: unknownSettings(architecture) }], isSure: false };
}
