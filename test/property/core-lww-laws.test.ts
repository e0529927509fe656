/** Laws of the decision: the later edit wins whatever order pushes arrive in, and deciding is pure. */

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { decideGroup } from '../../src/core/push/decide.ts';
import type { CheckedPush } from '../../src/core/push/group-input.ts';
import { lastWriterWins } from '../../src/core/conflict/last-writer-wins.ts';
import { compareHlc } from '../../src/protocol/pure/hlc.ts';
import { checkLaw } from '../support/law.ts';
import {
  after,
  arrive,
  BASE,
  clients,
  contender,
  contents,
  contentText,
  type Edit,
  edit,
  pushOf,
  stamps,
  start,
  winner,
} from '../support/engine/arriving.ts';
import { decide, groupInput, push } from '../support/engine/deciding.ts';
import { NOON } from '../support/engine/fake-system.ts';
import { hlc } from '../support/engine/records.ts';

test('[CR-2] concurrent edits and deletes end alike in every order of arrival (invariant 18)', (t) => {
  const edits = fc.array(edit, { minLength: 1, maxLength: 5 });
  const law = fc.property(edits, fc.infiniteStream(fc.nat()), (made, picks) => {
    const expected = winner(made);
    for (let round = 0; round < 4; round += 1) {
      const left = [...made];
      const order: Edit[] = [];
      while (left.length > 0) {
        order.push(...left.splice((picks.next().value ?? 0) % left.length, 1));
      }
      const pushes = order.map((one) => pushOf([one], BASE));
      assert.equal(arrive(pushes, true), expected);
    }
  });
  checkLaw(t, law, 400);
});

test('[CR-2] concurrent creates end alike in every order of arrival (invariant 18)', (t) => {
  const creates = fc.array(
    edit.filter(({ data }) => data !== null),
    { minLength: 1, maxLength: 4 },
  );
  const law = fc.property(creates, fc.boolean(), (made, reversed) => {
    const pushes = made.map((one) => pushOf([one], null));
    assert.equal(arrive(reversed ? pushes.reverse() : pushes, false), winner(made));
  });
  checkLaw(t, law, 300);
});

test('[CR-2] chains of edits in one push end as their latest edit says, in every order (invariant 18)', (t) => {
  const chain = fc
    .tuple(clients, fc.array(fc.tuple(stamps, contents), { minLength: 1, maxLength: 3 }))
    .map(([client_id, made]) =>
      made
        .map(([stamp, data]) => ({ stamp, client_id, data }))
        .sort((a, b) => compareHlc(a.stamp, b.stamp)),
    );
  const chains = fc.uniqueArray(chain, {
    minLength: 2,
    maxLength: 3,
    selector: ([first]) => first?.client_id,
  });
  // Stamps of one client strictly rise and no two clients share one, as their clocks promise.
  const law = fc.property(chains, fc.boolean(), (made, reversed) => {
    const all = made.flat().map(({ stamp }) => stamp);
    fc.pre(new Set(all).size === all.length);
    const pushes = made.map((edits) => pushOf(edits, BASE));
    assert.equal(arrive(reversed ? pushes.reverse() : pushes, true), winner(made.flat()));
  });
  checkLaw(t, law, 400);
});

test('[CR-2] the order of two edits is total and nobody beats itself (invariant 18)', (t) => {
  const law = fc.property(edit, edit, (a, b) => {
    const [x, y] = [contender(a), contender(b)];
    const same = x.stamp === y.stamp && x.client_id === y.client_id && x.hash === y.hash;
    assert.equal(lastWriterWins(x, x), false);
    assert.equal(lastWriterWins(x, y) !== lastWriterWins(y, x), !same);
  });
  checkLaw(t, law, 300);
});

test('[CR-3] an edit made on the current content outranks it, whatever its clock says (invariant 19)', (t) => {
  const law = fc.property(edit, edit, (first, second) => {
    let over = start(true);
    over = after(over, decide([pushOf([first], BASE)], over).plan, NOON);
    const current = over.documents[0]?.version ?? over.tombstones[0]?.version ?? null;
    const { outcome } = decide([pushOf([second], current)], over);
    const expected = contentText(second.data);
    assert.equal(outcome[0]?.conflicts.length, 0);
    const done = after(over, decide([pushOf([second], current)], over).plan, NOON);
    assert.equal(contentText(done.documents[0]?.data ?? null), expected);
  });
  checkLaw(t, law, 300);
});

test('[CR-3] a stamp from the future outranks honest edits by no more than the drift (invariant 19)', (t) => {
  const ahead = fc.integer({ min: 60_001, max: 3_155_760_000_000 });
  const law = fc.property(ahead, (ms) => {
    const liar: Edit = { stamp: hlc(ms), client_id: 'z', data: { n: 1 } };
    let over = start(true);
    over = after(over, decide([pushOf([liar], BASE)], over).plan, NOON + 60_002);
    const honest: Edit = { stamp: hlc(60_001), client_id: 'a', data: { n: 2 } };
    const { outcome } = decide([pushOf([honest], BASE)], over);
    assert.equal(outcome[0]?.results[0]?.resolution, 'incoming');
  });
  checkLaw(t, law, 100);
});

const pushes = fc.array(
  fc.record({
    client_id: clients,
    atomic: fc.constantFrom('partial' as const, 'bundle' as const),
    changes: fc.array(
      fc.record({
        doc_id: fc.constantFrom('t1', 't2', ''),
        operation: fc.constantFrom('upsert', 'delete'),
        data: fc.constantFrom({ n: 0 }, { n: 1 }, { _sync_x: 1 }),
        parent_version: fc.constantFrom(null, BASE, hlc(-1), hlc(90_000)),
        change_version: fc.option(stamps),
        mutation_id: fc.option(fc.constantFrom('m1', 'm2', 'm3')),
        parent_mutation_id: fc.option(fc.constantFrom('m1', 'm2')),
      }),
      { maxLength: 5 },
    ),
  }),
  { minLength: 1, maxLength: 4 },
);

type MadePush = Pick<CheckedPush, 'client_id' | 'atomic'> & { readonly changes: object[] };

function checkedPushes(made: readonly MadePush[]): CheckedPush[] {
  return made.map(({ changes, ...fields }) => push(changes, fields));
}

test('[CR-1] deciding twice over the same inputs gives the same plan (invariant 20)', (t) => {
  const law = fc.property(pushes, fc.boolean(), (made, existing) => {
    const group = checkedPushes(made);
    const over = start(existing);
    const frozen = JSON.stringify([group, over]);
    const input = groupInput(group, over);
    const first = decideGroup(input);
    // A second attempt of the same process draws later counters; everything else is a fresh run.
    const again = decideGroup(groupInput(group, over));
    assert.deepEqual(again, first);
    assert.equal(JSON.stringify([group, over]), frozen, 'inputs are left alone');
  });
  checkLaw(t, law, 300);
});

test('[CR-1] an attempt that was repeated over a newer snapshot equals a fresh run (invariant 20)', (t) => {
  const law = fc.property(pushes, pushes, (made, others) => {
    const group = checkedPushes(made);
    const before = start(true);
    const input = groupInput(group, before);
    decideGroup(input);
    const newer = after(before, decide(checkedPushes(others), before).plan, NOON + 1);
    const { plan: repeated, outcome } = decideGroup(groupInput(group, newer));
    const fresh = decide(checkedPushes(made), newer);
    assert.deepEqual({ plan: repeated, outcome }, fresh);
  });
  checkLaw(t, law, 200);
});

test('[PU-1] every push gets a result per change in order, and plans keep their shape (invariants 11 and 12)', (t) => {
  const law = fc.property(pushes, (made) => {
    const group = checkedPushes(made);
    const over = start(true);
    const { plan, outcome } = decide(group, over);
    group.forEach((one, place) => {
      const done = outcome[place];
      assert.deepEqual(
        done?.results.map(({ index }) => index),
        one.changes.map(({ index }) => index),
      );
      if (done?.rolled_back) {
        const stored = done.results.filter((result) => result.status !== 'rejected');
        assert.ok(stored.every((result) => result.duplicate && isInPlan(result.new_version)));
      }
      const taken = done?.results.filter(
        ({ resolution, duplicate }) =>
          !duplicate && (resolution === 'applied' || resolution === 'incoming'),
      );
      assert.equal(done?.rows, taken?.length);
    });
    function isInPlan(version: string | null) {
      const lost = plan.receipts.some(({ result }) => result.resolution === 'current');
      return version === null ? lost : plan.rows.some((row) => row.version === version);
    }
    plan.rows.forEach((row, i) => {
      const before = plan.rows[i - 1];
      assert.equal(row.seq, over.head.head_seq + 1 + i);
      assert.equal(row.prev, before?.version ?? over.head.head_version);
      assert.ok(compareHlc(row.version, row.prev) > 0);
      assert.equal(row.ordinal === 0, row.bundle_seq !== before?.bundle_seq);
    });
    const touched = plan.documents.map((write) =>
      write.kind === 'put' ? write.document.doc_id : write.doc_id,
    );
    assert.equal(new Set(touched).size, touched.length, 'one write per document');
    const mutations = plan.rows.flatMap((row) =>
      row.mutation_id === null ? [] : [`${row.client_id}/${row.mutation_id}`],
    );
    assert.equal(new Set(mutations).size, mutations.length, 'at most one row per mutation');
  });
  checkLaw(t, law, 400);
});
