import { cli } from './cli.ts';
import { createNodeHost } from './host/node.ts';

await cli(createNodeHost(), { protoCompare: () => import('./protocol/proto-compare.ts') });
