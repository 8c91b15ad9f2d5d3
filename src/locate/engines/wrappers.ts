/**
 * Scripts that run a runtime with a configuration of their own: containerd-shim-kata-NAME-v2 with KATA_CONF_FILE, which kata-deploy wrote
 * until containerd could name a configuration, and kata-NAME with --kata-config, of the tarballs of Kata 1.x.
 */

import { Problem } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { filesIn, nameOf } from '../files.ts';
import { configurationIn } from './docker.ts';
import type { Handler } from './handler.ts';

const folders = ['/usr/local/bin', '/usr/bin', '/opt/kata/bin'];
const names = /^(?:containerd-shim-kata-.*v2|kata-[a-z0-9-]+)$/;
/** kata-deploy's have less than 300 bytes. */
const wrapperLimit = 4096;

export function wrapperHandlers(host: Host): Handler[] {
  return folders
    .flatMap((folder) => filesIn(host, folder))
    .filter((path) => names.test(nameOf(path)))
    .flatMap((path): Handler[] => {
      const configuration = configurationOf(scriptIn(host, path));
      if (configuration === undefined) return [];
      return [{ by: path, file: path, configuration, program: path, type: undefined, isKata: true }];
    });
}

/** The configuration that a script gives to the runtime; undefined for none. */
export function configurationOf(script: string | undefined): string | undefined {
  if (script === undefined) return undefined;
  return /\bKATA_CONF_FILE=["']?([^\s"']+)/.exec(script)?.[1] ?? configurationIn(wordsOf(script));
}

function wordsOf(script: string): string[] {
  return script.split(/[\s"']+/);
}

/** The text of a small script; undefined for anything else. */
export function scriptIn(host: Host, path: string): string | undefined {
  try {
    const file = host.open(path);
    const isSmall = file.size > 2 && file.size <= wrapperLimit;
    file.close();
    const text = isSmall ? host.readText(path, wrapperLimit) : '';
    return text.startsWith('#!') ? text : undefined;
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** The known runtime that a script runs. */
export function wrappedProgram<T extends { readonly path: string; readonly calledAs?: string }>(
  script: string,
  programs: readonly T[],
): T | undefined {
  const words = wordsOf(script);
  return programs.find(({ path, calledAs = path }) => words.includes(calledAs));
}
