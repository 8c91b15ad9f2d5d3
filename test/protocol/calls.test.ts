import { calls } from '../../src/protocol/calls.ts';
import { testRows } from './rows.ts';

testRows('the rows of calls', calls, ['call']);
