/** The answers of inner.ts in the native form: `PROGRAM COUNT PATH`. */

import * as os from 'os';
import * as std from 'std';
import { createQuickJsHost, inner } from '../../src/host/quickjs.ts';
import { replaceInner } from '../../src/read/bytes.ts';
import { answers } from './inner.ts';

replaceInner(inner);
const [, count = '', path = ''] = scriptArgs;
const text = answers(Number(count), path, createQuickJsHost(), (bytes) => {
  os.remove(path);
  const descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600);
  os.write(descriptor, bytes.buffer, bytes.byteOffset, bytes.length);
  os.close(descriptor);
});
std.out.puts(text);
std.out.flush();
std.exit(0);
