/**
 * The handlers of CRI-O: `[crio.runtime.runtimes.HANDLER] runtime_config_path` in crio.conf and in crio.conf.d.
 */

import type { Host } from '../../host/host.ts';
import { filesIn, isFile } from '../files.ts';
import { readToml, type Unread } from '../toml.ts';
import { type Handler, speaksOfKata, tablesIn, textOf } from './handler.ts';

const mainFile = '/etc/crio/crio.conf';

export function crioHandlers(host: Host, unread: Unread[]): Handler[] {
  return [mainFile, ...filesIn(host, `${mainFile}.d`)].flatMap((file) => {
    const document = isFile(host, file) ? readToml(host, file, unread) : undefined;
    return tablesIn(document, 'crio', 'runtime', 'runtimes').map(([name, runtime]): Handler => {
      const { runtime_type: type, runtime_path: path, allowed_annotations: annotations } = runtime;
      return {
        by: `CRI-O, handler ${name}`,
        file,
        configuration: textOf(runtime.runtime_config_path),
        program: textOf(path),
        type: undefined,
        isKata: type === 'vm' || speaksOfKata(type, path, annotations),
      };
    });
  });
}
