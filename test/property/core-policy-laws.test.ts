/** Laws of the policies: what stays where it is whatever comes, and in which order it may come. */

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { RESOLVERS } from '../../src/core/collections.ts';
import { checkLaw } from '../support/law.ts';
import {
  after,
  arrive,
  BASE,
  contentText,
  type Edit,
  edit,
  pushOf,
  shuffled,
  start,
  winner,
} from '../support/engine/arriving.ts';
import { decide } from '../support/engine/deciding.ts';
import { NOON } from '../support/engine/fake-system.ts';

const edits = fc.array(edit, { minLength: 1, maxLength: 5 });
const picks = fc.array(fc.nat(), { minLength: 5, maxLength: 5 });
const resolvers = fc.constantFrom(...RESOLVERS);

function pushes(made: readonly Edit[], parent: typeof BASE | null, collection: string) {
  return made.map((one) => pushOf([one], parent, collection));
}

test('[CR-14] server_wins: of concurrent edits the first pushed stays, whatever the stamps say', (t) => {
  const collection = 'resurrect_on_update server_wins';
  const law = fc.property(edits, (made) => {
    const expected = contentText(made[0]?.data ?? null);
    assert.equal(arrive(pushes(made, BASE, collection), true, collection), expected);
  });
  checkLaw(t, law, 300);
});

test('[CR-14] server_wins: of concurrent creates the first pushed stays', (t) => {
  const collection = 'resurrect_on_update server_wins';
  const creates = fc.array(
    edit.filter(({ data }) => data !== null),
    { minLength: 1, maxLength: 4 },
  );
  const law = fc.property(creates, (made) => {
    const expected = contentText(made[0]?.data ?? null);
    assert.equal(arrive(pushes(made, null, collection), false, collection), expected);
  });
  checkLaw(t, law, 200);
});

test('[CR-14] server_wins: an edit made on what the server has applies', (t) => {
  const collection = 'resurrect_on_update server_wins';
  const law = fc.property(edits, edit, (made, next) => {
    let over = start(true, collection);
    for (const one of pushes(made, BASE, collection)) {
      over = after(over, decide([one], over).plan, NOON);
    }
    const current = over.documents[0]?.version ?? over.tombstones[0]?.version ?? null;
    const { plan, outcome } = decide([pushOf([next], current, collection)], over);
    assert.equal(outcome[0]?.conflicts.length, 0);
    const done = after(over, plan, NOON);
    assert.equal(contentText(done.documents[0]?.data ?? null), contentText(next.data));
  });
  checkLaw(t, law, 300);
});

test('[CR-13] delete_wins: once one of the edits deletes, the end is deleted in every order', (t) => {
  const law = fc.property(edits, edit, picks, (made, one, order) => {
    const all = shuffled([...made, { ...one, data: null }], order);
    for (const resolver of RESOLVERS) {
      const collection = `delete_wins ${resolver}`;
      assert.equal(arrive(pushes(all, BASE, collection), true, collection), 'deleted');
    }
  });
  checkLaw(t, law, 400);
});

test('[CR-13] delete_wins: what is deleted comes back only as a new document, or made on the deletion', (t) => {
  const law = fc.property(edits, edit, fc.boolean(), (made, back, asNew) => {
    const collection = 'delete_wins lww';
    fc.pre(back.data !== null);
    let over = start(true, collection);
    const gone = pushOf([{ ...back, data: null }], BASE, collection);
    for (const one of [gone, ...pushes(made, BASE, collection)]) {
      over = after(over, decide([one], over).plan, NOON);
    }
    assert.equal(over.documents.length, 0);
    const parent = asNew ? null : (over.tombstones[0]?.version ?? null);
    const { plan } = decide([pushOf([back], parent, collection)], over);
    assert.equal(after(over, plan, NOON).documents.length, 1);
  });
  checkLaw(t, law, 200);
});

test('[CR-13] delete_wins: without a deletion it is the resolver that decides', (t) => {
  const updates = fc.array(
    edit.filter(({ data }) => data !== null),
    { minLength: 1, maxLength: 5 },
  );
  const law = fc.property(updates, picks, (made, order) => {
    const collection = 'delete_wins lww';
    const all = shuffled(made, order);
    assert.equal(arrive(pushes(all, BASE, collection), true, collection), winner(made));
  });
  checkLaw(t, law, 200);
});

test('[CR-12] reject_update: after the deletion no edit of the old document changes anything', (t) => {
  const law = fc.property(edits, edit, resolvers, (made, first, resolver) => {
    const collection = `reject_update ${resolver}`;
    let over = start(true, collection);
    const gone = pushOf([{ ...first, data: null }], BASE, collection);
    over = after(over, decide([gone], over).plan, NOON);
    for (const one of made) {
      const { plan, outcome } = decide([pushOf([one], BASE, collection)], over);
      const code = outcome[0]?.results[0]?.code;
      assert.equal(code, one.data === null ? null : 'update_rejected');
      assert.deepEqual([plan.rows, plan.conflicts, plan.receipts, plan.documents].flat(), []);
      over = after(over, plan, NOON);
    }
    assert.equal(over.documents.length, 0);
  });
  checkLaw(t, law, 300);
});
