/** Writes what walk.ts reads in an image, in the native form: `PROGRAM IMAGE`. */

import { createQuickJsHost, inner } from '../../src/host/quickjs.ts';
import { replaceInner } from '../../src/read/bytes.ts';
import { walk } from './walk.ts';

replaceInner(inner);
const host = createQuickJsHost();

// Not awaited, as in src/main.quickjs.ts.
void walk(host, host.arguments[0] ?? '').then(
  (lines) => host.write(1, lines.map((line) => `${line}\n`).join('')),
  (error: unknown) => {
    host.write(2, `${error instanceof Error ? `${error.name}: ${error.message}\n${error.stack}` : error}\n`);
    host.exit(2);
  },
);
