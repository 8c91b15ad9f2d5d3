import { drivers } from '../../src/protocol/drivers.ts';
import { testRows } from './rows.ts';

testRows('the rows of drivers', drivers, ['driver']);
