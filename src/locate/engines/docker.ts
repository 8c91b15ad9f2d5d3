/**
 * The runtimes of Docker and of iSulad, in the daemon.json of each.
 *
 * Docker: `runtimes.NAME` with `runtimeType` and `options.ConfigPath` for a shim (Docker 23 and later), or with `path` and
 * `runtimeArgs` for a program that is run as runc is (docs.docker.com, "Alternative container runtimes"). iSulad: `runtimes.NAME` with
 * `path` and `runtime-args` (docs.openeuler.org, "Connecting iSula to secure containers").
 */

import { Problem } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { Unread } from '../toml.ts';
import { type Handler, speaksOfKata, textOf } from './handler.ts';

const files: readonly { readonly engine: string; readonly file: string }[] = [
  { engine: 'Docker', file: '/etc/docker/daemon.json' },
  { engine: 'Docker', file: '/var/snap/docker/current/config/daemon.json' },
  { engine: 'iSulad', file: '/etc/isulad/daemon.json' },
];

/** A daemon.json has a few kB. */
const fileLimit = 1024 * 1024;
const configurationOption = '--kata-config';

export function dockerHandlers(host: Host, unread: Unread[]): Handler[] {
  return files.flatMap(({ engine, file }) => {
    if (host.status(file) === undefined) return [];
    const runtimes = fieldsOf(fieldsOf(documentIn(host, file, unread)).runtimes);
    return Object.entries(runtimes).map(([name, value]): Handler => {
      const runtime = fieldsOf(value);
      const words = [runtime.runtimeArgs, runtime['runtime-args']].flat().filter((word) => typeof word === 'string');
      const type = textOf(runtime.runtimeType);
      // The type can be the path of the shim itself.
      const path = type?.startsWith('/') === true ? type : textOf(runtime.path);
      const configuration = textOf(fieldsOf(runtime.options).ConfigPath) ?? configurationIn(words);
      return {
        by: `${engine}, runtime ${name}`,
        file,
        configuration,
        program: path,
        type: path === undefined ? type : undefined,
        isKata: speaksOfKata(type, path, words),
      };
    });
  });
}

/** Undefined, and told in `unread`, when it cannot be read. */
function documentIn(host: Host, file: string, unread: Unread[]): unknown {
  try {
    // Docker passes over a byte order mark, and takes a file in which nothing is (moby: daemon/config/config.go).
    const text = host
      .readText(file, fileLimit)
      .replace(/^\ufeff/, '')
      .trim();
    return text === '' ? undefined : JSON.parse(text);
  } catch (error) {
    const message = error instanceof Problem ? error.message : `${file}: is no valid JSON`;
    unread.push({ path: file, message });
    return undefined;
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** `--kata-config FILE` or `--kata-config=FILE`, in the arguments of kata-runtime 1.x. */
export function configurationIn(words: readonly string[]): string | undefined {
  const at = words.findIndex((word) => word === configurationOption || word.startsWith(`${configurationOption}=`));
  if (at === -1) return undefined;
  // In a script the value may stand in quotes behind the "=", which makes another word of it.
  return textOf(words[at]?.slice(configurationOption.length + 1)) ?? textOf(words[at + 1]);
}
