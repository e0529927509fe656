/** The port of writes of the application, close to the database: locks, slow functions, sessions. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientSession } from 'mongodb';
import type { ScopeWork } from '../../src/core/ports/scope-writes.ts';
import { emptyPlan } from '../contract/plan-builder.ts';
import { groupOf, openWatched } from './mongo-world.ts';

const SCOPE = 'scope-1';

function work(
  write: ScopeWork<string>['write'],
  more: Partial<ScopeWork<string>> = {},
): ScopeWork<string> {
  return {
    budget_ms: 5_000,
    write,
    decide: ({ snapshot }) => ({ plan: emptyPlan(snapshot), outcome: 'decided' }),
    ...more,
  };
}

test('[SX-1] the head is locked before the function runs, and other writers wait for its end', async () => {
  const one = await openWatched();
  const two = await one.another();
  try {
    const order: string[] = [];
    let other: Promise<unknown> | undefined;
    await one.store.scope_writes?.writeInScope(
      SCOPE,
      work(async () => {
        const group = groupOf(SCOPE, [{ doc_id: 'b', data: {} }]);
        other ??= two.store.commitGroup(SCOPE, group).then(() => order.push('other'));
        while (!two.takeFailed().some(({ code }) => code === 112)) {
          await one.db.command({ ping: 1 });
        }
        order.push('function');
        return [];
      }),
    );
    await other;
    assert.deepEqual(order, ['function', 'other']);
  } finally {
    await one.close();
  }
});

test('[LB-16] a function that is too slow loses its transaction, and its late statements fail', async () => {
  const { store, db, close } = await openWatched();
  try {
    let late: Promise<unknown> | undefined;
    const slow = store.scope_writes?.writeInScope(
      SCOPE,
      work(
        async (transaction) => {
          const session = transaction.session as ClientSession;
          await db.collection('tasks').insertOne({ n: 1 }, { session });
          const goOn = async () => {
            while (!session.hasEnded) await db.command({ ping: 1 });
            await db.collection('tasks').insertOne({ n: 2 }, { session });
          };
          late = goOn();
          await late;
          return [];
        },
        { budget_ms: 2_000 },
      ),
    );
    await assert.rejects(slow as Promise<unknown>, { reason: 'too_slow' });
    await assert.rejects(late as Promise<unknown>, { name: 'MongoExpiredSessionError' });
    assert.equal(await db.collection('tasks').countDocuments(), 0);
    await store.commitGroup(SCOPE, groupOf(SCOPE, [{ doc_id: 'a', data: {} }]));
  } finally {
    await close();
  }
});

test('[SX-2] without a plan the function is committed, with a failing decision it is not', async () => {
  const { store, db, close } = await openWatched();
  const write: ScopeWork<string>['write'] = async ({ session }) => {
    const plain = db.collection<{ _id: string }>('plain');
    await plain.insertOne({ _id: 'a' }, { session: session as ClientSession });
    return [];
  };
  try {
    const failing = work(write, {
      decide: () => {
        throw new RangeError('no');
      },
    });
    await assert.rejects(
      store.scope_writes?.writeInScope(SCOPE, failing) as Promise<unknown>,
      RangeError,
    );
    assert.equal(await db.collection('plain').countDocuments(), 0);
    const committed = await store.scope_writes?.writeInScope(SCOPE, work(write));
    assert.deepEqual(committed, { outcome: 'decided', written: false, attempts: 1 });
    assert.equal(await db.collection('plain').countDocuments(), 1);
    const nodes = db.collection<{ _id: string; sessions: unknown[] }>('sync_meta');
    const [node] = await nodes.find({ _id: { $regex: '^node:' } }).toArray();
    assert.equal(node?.sessions.length, 17, 'the session was known before its transaction began');
  } finally {
    await close();
  }
});
