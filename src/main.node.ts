import { cli } from './cli.ts';
import { createNodeHost } from './host/node.ts';

await cli(createNodeHost(), { compare: () => import('./commands/compare.ts') });
