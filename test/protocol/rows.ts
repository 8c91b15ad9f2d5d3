/** What every row of the protocol's tables must hold. */

import * as assert from 'uvu/assert';
import { placeOf } from '../../src/protocol/place.ts';
import type { Row } from '../../src/protocol/row.ts';
import { askedKeys } from '../../src/protocol/settings.ts';
import { suite } from '../suite.ts';

/** `kinds`: of the rows that this file may hold. */
export function testRows(name: string, rows: readonly Row[], kinds: readonly Row['kind'][]): void {
  const test = suite(name);

  test('each row has a name of its own, and is of the kinds that belong here', () => {
    assert.is(new Set(rows.map(({ id }) => id)).size, rows.length);
    for (const { id, kind } of rows) assert.ok(kinds.includes(kind), id);
  });

  test('each row says since which release which runtime does it, and which agents do not understand it', () => {
    for (const { id, go, rust, lacks } of rows) {
      assert.ok(go !== undefined || rust !== undefined, id);
      for (const span of [go, rust]) {
        if (span === undefined) continue;
        const [, from = '', before = ''] = /^([0-9.]+)\.\.([0-9.]*)$/.exec(span) ?? [];
        assert.ok(from !== '' && (before === '' || placeOf(from) < placeOf(before)), `${id}: ${span}`);
      }
      assert.match(
        lacks,
        /^(?:>=[0-9.]+|<[0-9.]+|>=[0-9.]+ <[0-9.]+)(?: \|\| (?:<[0-9.]+|>=[0-9.]+(?: <[0-9.]+)?))*$/,
        id,
      );
    }
  });

  test('each row was read in a source, at a line', () => {
    for (const { id, sources } of rows) {
      assert.ok(sources.length > 0, id);
      for (const source of sources)
        assert.match(source, /^(?:kata-containers|runtime|agent)@[0-9.]+:[^:]+:[0-9]+$/, id);
    }
  });

  test('each row says whom it meets, and asks only for settings that are read', () => {
    for (const { id, where = [], pods, share, byHand } of rows) {
      assert.is(pods === undefined, share === undefined, id);
      assert.ok(byHand === undefined || pods === undefined, id);
      for (const term of where.flat())
        assert.ok(!('key' in term) || askedKeys.has(term.key), `${id}: ${JSON.stringify(term)}`);
    }
  });
}
