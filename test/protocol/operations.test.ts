import { operations } from '../../src/protocol/operations.ts';
import { testRows } from './rows.ts';

testRows('the rows of operations', operations, ['call']);
