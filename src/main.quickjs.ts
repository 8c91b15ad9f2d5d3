import { cli } from './cli.ts';
import { createQuickJsHost } from './host/quickjs.ts';

await cli(createQuickJsHost());
