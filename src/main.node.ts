import { cli } from './cli.ts';
import { createNodeHost } from './host/node.ts';

await cli(createNodeHost(), { protoCompare: () => import('./proto/compare.ts') });
