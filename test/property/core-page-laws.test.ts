/** Laws of pages: bundles stay whole, nothing is skipped, walking visits everything once. */

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { cutPage } from '../../src/core/pull/cut-page.ts';
import { chainFault } from '../../src/core/pull/staleness.ts';
import { closePullLine, type PullChange } from '../../src/protocol/pull.ts';
import { ZERO_HLC } from '../../src/protocol/pure/hlc.ts';
import { chain } from '../support/engine/records.ts';
import { checkLaw } from '../support/law.ts';

const bundles = fc.array(
  fc.array(fc.constantFrom('tasks', 'notes', '!tasks', '!notes'), { minLength: 1, maxLength: 4 }),
  { minLength: 1, maxLength: 12 },
);
const visible = fc.subarray(['tasks', 'notes']).map((names) => new Set(names));

test('[PL-4] no page holds part of a bundle without its end, and pages in a row skip nothing (invariant 22)', (t) => {
  const bounds = fc.record({
    limit: fc.integer({ min: 1, max: 6 }),
    max_bytes: fc.constantFrom(1, 500, 1_000, 1_000_000),
    read: fc.integer({ min: 4, max: 20 }),
  });
  const law = fc.property(bundles, visible, bounds, (made, names, { limit, max_bytes, read }) => {
    const rows = chain(made);
    const seen: PullChange[] = [];
    let at = 0;
    while (at < rows.length) {
      const page = cutPage(rows.slice(at, at + read), { limit, max_bytes, visible: names });
      assert.ok(page !== undefined, 'what was read holds a bundle');
      assert.ok(page.last_seq > at, 'a page moves on');
      const last = rows[page.last_seq - 1];
      assert.equal(last?.version, page.last_version);
      assert.equal(last?.ordinal, (last?.bundle_rows ?? 0) - 1, 'it ends with a bundle');
      const changes = page.rows.map(
        ({ row, bundle_end }) => JSON.parse(closePullLine(row.line, bundle_end)) as PullChange,
      );
      changes.forEach((one, i) => {
        assert.equal(one.bundle_end, one.bundle_seq !== changes[i + 1]?.bundle_seq);
      });
      const scanned = rows.slice(at, page.last_seq);
      assert.deepEqual(
        new Set(page.reset),
        new Set(
          scanned
            .filter((row) => row.operation === 'reset' && names.has(row.collection))
            .map((row) => row.collection),
        ),
      );
      seen.push(...changes);
      at = page.last_seq;
    }
    assert.deepEqual(
      seen.map(({ version }) => version),
      rows
        .filter((row) => row.operation !== 'reset' && names.has(row.collection))
        .map((row) => row.version),
    );
  });
  checkLaw(t, law, 300);
});

test('[PL-2] a chain with any row missing, doubled or swapped is noticed', (t) => {
  const law = fc.property(fc.integer({ min: 2, max: 12 }), fc.nat(), fc.nat(), (size, a, b) => {
    const rows = chain(Array.from({ length: size }, () => ['tasks']));
    assert.equal(chainFault(rows, ZERO_HLC, 0), undefined);
    const i = a % (size - 1);
    assert.equal(chainFault(rows.toSpliced(i, 1), ZERO_HLC, 0), 'history_pruned');
    assert.ok(chainFault(rows.toSpliced(i, 0, rows[i]!), ZERO_HLC, 0) !== undefined);
    const j = b % size;
    const swapped = rows.with(i, rows[j]!).with(j, rows[i]!);
    assert.equal(chainFault(swapped, ZERO_HLC, 0) === undefined, i === j);
  });
  checkLaw(t, law, 200);
});
