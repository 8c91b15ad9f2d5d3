import { meanings } from '../../src/protocol/meanings.ts';
import { testRows } from './rows.ts';

testRows('the rows of meanings', meanings, ['transport', 'message', 'meaning', 'option', 'path']);
