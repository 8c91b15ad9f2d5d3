/**
 * Which root hash is asked of which measured image, and which one the image has: by the configurations that are read, and, for an image of
 * which none of them asks for one, by the file beside it.
 */

import { attempt } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { followedStatus } from '../host/rooted.ts';
import { readMeasurement } from '../read/measurement.ts';
import { parseVerityParameters } from '../read/verity.ts';
import type { Installation } from './installation.ts';
import { rootHashBeside } from './root-hash.ts';

/** A measured image: the root hash that is demanded or expected of it, and the one that its hash partition gives. */
export interface Measured {
  readonly image: string;
  /** Who says what the root hash must be: a configuration, or the file beside the image. */
  readonly source: string;
  /** The guest kernel only checks what the configuration gives it. */
  readonly isConfigured: boolean;
  /** Lower-case hexadecimal digits; null when the configuration's parameters cannot be read. */
  readonly expected: string | null;
  /** Likewise; null when the image has no hash partition. */
  readonly actual: string | null;
  /** Why it could not be read; null when it could. */
  readonly problem: string | null;
}

/** `host` is rooted; `deadline` in milliseconds on its clock. A missing image is another finding. Throws Io. */
export function measuredImages(host: Host, installation: Installation, deadline: number): Measured[] {
  const options = { deadline };
  const configured = installation.configurations.flatMap(({ path: configuration, images, maskedBy }) =>
    (maskedBy === null ? images : []).flatMap(({ path: image, verity }): Measured[] => {
      if (verity === null || kindAt(host, image) !== 'file') return [];
      const parameters = parseVerityParameters(verity);
      const known = { image, source: configuration, isConfigured: true };
      if (parameters === undefined) return [{ ...known, expected: null, actual: null, problem: null }];
      const { rootHash, problem } = readMeasurement(host, image, parameters, options);
      return [{ ...known, expected: parameters.rootHash, actual: rootHash, problem }];
    }),
  );
  // What no configuration asks of an image, the file beside it may still know.
  const beside = installation.images.flatMap(({ path: image }): Measured[] => {
    if (configured.some((known) => known.image === image) || kindAt(host, image) !== 'file') return [];
    const file = rootHashBeside(host, image);
    const parameters = file === undefined ? undefined : parseVerityParameters(file.text);
    if (file === undefined || parameters === undefined) return [];
    const { rootHash, problem } = readMeasurement(host, image, parameters, options);
    // An image that is not measured fits a configuration that does not ask for it.
    if (rootHash === null || problem !== null) return [];
    return [
      { image, source: file.path, isConfigured: false, expected: parameters.rootHash, actual: rootHash, problem },
    ];
  });
  return [...configured, ...beside];
}

function kindAt(host: Host, path: string): string | undefined {
  return attempt(() => followedStatus(host, path)?.kind);
}
