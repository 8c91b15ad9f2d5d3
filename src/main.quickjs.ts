import { cli } from './cli.ts';
import { createQuickJsHost, inner } from './host/quickjs.ts';
import { replaceInner } from './read/bytes.ts';

replaceInner(inner);

// Not awaited: while a module waits at its top level, QuickJS (2025-04-26, js_std_await) polls after every single job, and
// sleeps for ever on a descriptor although more jobs are due. Its main loop does not.
void cli(createQuickJsHost());
