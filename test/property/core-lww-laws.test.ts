/** Laws of the decision: the later edit wins whatever order pushes arrive in, and deciding is pure. */

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { StoredDocument, Tombstone } from '../../src/core/ports/records.ts';
import type { GroupPlan, GroupSnapshot } from '../../src/core/ports/store.ts';
import { decideGroup } from '../../src/core/push/decide.ts';
import type { CheckedPush } from '../../src/core/push/group-input.ts';
import { lastWriterWins } from '../../src/core/conflict/last-writer-wins.ts';
import { canonicalJson, type JsonObject } from '../../src/protocol/pure/canonical-json.ts';
import { documentHash } from '../../src/protocol/pure/hash.ts';
import { compareHlc, type Hlc } from '../../src/protocol/pure/hlc.ts';
import { checkLaw } from '../support/law.ts';
import { change, decide, groupInput, push, snapshot } from '../support/engine/deciding.ts';
import { NOON, sha256 } from '../support/engine/fake-system.ts';
import { document, hlc } from '../support/engine/records.ts';

const BASE = hlc(-3_600_000);

/** An edit of one client; data null deletes. Few stamps and contents, so that ties and repeats happen. */
interface Edit {
  readonly stamp: Hlc;
  readonly client_id: string;
  readonly data: JsonObject | null;
}

const contents = fc.constantFrom<JsonObject | null>({ n: 0 }, { n: 1 }, { n: 2 }, null);
const stamps = fc
  .tuple(fc.integer({ min: -20, max: -1 }), fc.constantFrom('a1b2', 'zzzz'))
  .map(([minutes, node]) => hlc(minutes * 60_000, 0, node));
const clients = fc.constantFrom('a', 'b', 'c', 'd');
const edit: fc.Arbitrary<Edit> = fc.record({ stamp: stamps, client_id: clients, data: contents });

/** The snapshot that a plan leaves behind. */
function after(over: GroupSnapshot, plan: GroupPlan, now_ms: number): GroupSnapshot {
  const documents = new Map(
    over.documents.map((one): [string, StoredDocument] => [one.doc_id, one]),
  );
  const tombstones = new Map(over.tombstones.map((one): [string, Tombstone] => [one.doc_id, one]));
  for (const write of plan.documents) {
    if (write.kind === 'drop') documents.delete(write.doc_id);
    else if (write.kind === 'put')
      documents.set(write.document.doc_id, { ...write.document, read_only: false });
  }
  for (const { doc_id } of plan.tombstones.drop) tombstones.delete(doc_id);
  for (const one of plan.tombstones.put) tombstones.set(one.doc_id, one);
  return {
    ...over,
    documents: [...documents.values()],
    tombstones: [...tombstones.values()],
    receipts: [...over.receipts, ...plan.receipts],
    head: plan.head,
    now_ms,
  };
}

function start(existing: boolean): GroupSnapshot {
  const stored = document(BASE, { data: { n: 9 }, client_id: 'base' });
  const row = { version: BASE, collection: 'tasks', doc_id: 't1', change_version: BASE };
  return snapshot(existing ? { documents: [stored], parents: [row] } : {});
}

/** One push per chain: the edits of one client, made one on top of the other. */
function pushOf(edits: readonly Edit[], parent_version: Hlc | null): CheckedPush {
  const changes = edits.map(({ stamp, data }) =>
    change({
      parent_version,
      change_version: stamp,
      data: data as Record<string, unknown> | null,
      operation: data === null ? 'delete' : 'upsert',
    }),
  );
  return push(changes, { client_id: edits[0]?.client_id ?? 'a' });
}

/** Content after the pushes arrived one by one, seconds apart; "deleted" when it is gone. */
function arrive(pushes: readonly CheckedPush[], existing: boolean): string {
  let over = start(existing);
  pushes.forEach((one, place) => {
    const { plan } = decide([one], over);
    over = after(over, plan, NOON + (place + 1) * 1_000);
  });
  const [stored] = over.documents;
  return stored === undefined ? 'deleted' : canonicalJson(stored.data);
}

function contender({ stamp, client_id, data }: Edit) {
  return { stamp, client_id, hash: data === null ? '' : documentHash(sha256, data) };
}

function winner(edits: readonly Edit[]): string {
  const [first, ...rest] = edits as [Edit, ...Edit[]];
  const last = rest.reduce((a, b) => (lastWriterWins(contender(b), contender(a)) ? b : a), first);
  return last.data === null ? 'deleted' : canonicalJson(last.data);
}

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
    const expected = second.data === null ? 'deleted' : canonicalJson(second.data);
    assert.equal(outcome[0]?.conflicts.length, 0);
    const done = after(over, decide([pushOf([second], current)], over).plan, NOON);
    assert.equal(
      done.documents[0] === undefined ? 'deleted' : canonicalJson(done.documents[0].data),
      expected,
    );
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
