/** The lock of a head: the value must change, or two transactions go on side by side. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeSystem } from '../../src/node-system.ts';
import { deferred } from '../contract/contract-world.ts';
import { emptyPlan, planBundle } from '../contract/plan-builder.ts';
import { groupOf, openWatched } from './mongo-world.ts';

const SCOPE = 'scope-1';
const FROZEN = new Date(Date.UTC(2030, 0, 1));
const WRITE_CONFLICT = 112;

test('[ST-4] with a frozen clock the first statement of the second transaction fails', async () => {
  const one = await openWatched({ now_expression: FROZEN });
  const two = await one.another();
  const gate = deferred<void>();
  const entered = deferred<void>();
  const refused = deferred<void>();
  try {
    await one.store.commitGroup(SCOPE, groupOf(SCOPE, [{ doc_id: 'a', data: {} }]));
    const first = one.store.commitGroup(SCOPE, {
      ...groupOf(SCOPE, []),
      decide: async (snapshot) => {
        assert.equal(snapshot.now_ms, FROZEN.getTime());
        entered.resolve();
        await gate.promise;
        return { plan: planBundle(snapshot, [{ doc_id: 'b', data: {} }]), outcome: null };
      },
    });
    await entered.promise;
    let decided = 0;
    const clock = watchSleep(() => refused.resolve());
    const third = await one.another({ clock });
    const second = third.store.commitGroup(SCOPE, {
      ...groupOf(SCOPE, []),
      decide: (snapshot) => {
        decided += 1;
        assert.equal(snapshot.head.head_seq, 2);
        return { plan: planBundle(snapshot, [{ doc_id: 'c', data: {} }]), outcome: null };
      },
    });
    await refused.promise;
    assert.equal(decided, 0);
    assert.deepEqual(third.takeFailed()[0], { name: 'findAndModify', code: WRITE_CONFLICT });
    assert.equal(third.takeStarted()[0], 'findAndModify');
    gate.resolve();
    await first;
    const { attempts } = await second;
    assert.ok(attempts > 1);
    assert.equal(decided, 1);
    const { head } = await two.store.readScope(SCOPE, null);
    assert.equal(head?.head_seq, 3);
  } finally {
    await one.close();
  }
});

/** Waits of this length are the heartbeat's, ms. */
const HEARTBEAT_MS = 250;

/** A clock that tells when a group waits for its next attempt. */
function watchSleep(onSleep: () => void) {
  return {
    now: () => FROZEN.getTime(),
    monotonic: () => performance.now(),
    sleep: (ms: number) => {
      if (ms < HEARTBEAT_MS) onSleep();
      return nodeSystem.clock.sleep(ms);
    },
  };
}

test('[ST-4] an equal value takes no lock: that is why the counter is there', async () => {
  const { db, store, close } = await openWatched();
  try {
    await store.commitGroup(SCOPE, groupOf(SCOPE, [{ doc_id: 'a', data: {} }]));
    const scopes = db.collection<{ _id: string }>('sync_scopes');
    const touch = { touched: FROZEN };
    await scopes.updateOne({ _id: SCOPE }, { $set: touch });
    const lockedTwice = async (update: Record<string, unknown>): Promise<boolean> => {
      const sessions = [db.client.startSession(), db.client.startSession()];
      try {
        for (const session of sessions) {
          session.startTransaction({ readConcern: { level: 'majority' } });
          await scopes.findOneAndUpdate({ _id: SCOPE }, [{ $set: update }], { session });
        }
        return true;
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, WRITE_CONFLICT);
        return false;
      } finally {
        for (const session of sessions) await session.endSession();
      }
    };
    assert.equal(await lockedTwice(touch), true, 'the mutant takes no lock');
    assert.equal(await lockedTwice({ ...touch, lock: { $add: ['$lock', 1] } }), false);
  } finally {
    await close();
  }
});

test('[ST-1] a lost head continues from the newest row', async () => {
  const { db, store, close } = await openWatched();
  try {
    await store.commitGroup(SCOPE, groupOf(SCOPE, [{ doc_id: 'a', data: {} }]));
    const before = (await store.readScope(SCOPE, null)).head;
    await db.collection<{ _id: string }>('sync_scopes').deleteOne({ _id: SCOPE });
    const { outcome } = await store.commitGroup(SCOPE, {
      ...groupOf(SCOPE, []),
      decide: (snapshot) => ({ plan: emptyPlan(snapshot), outcome: snapshot.head }),
    });
    assert.deepEqual(outcome, before);
    await store.commitGroup(SCOPE, groupOf(SCOPE, [{ doc_id: 'b', data: {} }]));
    assert.equal((await store.readScope(SCOPE, null)).head?.head_seq, 2);
  } finally {
    await close();
  }
});

test('[ST-1] two first pushes of a scope make one head', async () => {
  const one = await openWatched();
  const two = await one.another();
  try {
    for (const round of ['r1', 'r2', 'r3']) {
      await Promise.all(
        [one, two].map(({ store }, i) =>
          store.commitGroup(round, groupOf(round, [{ doc_id: `${round}-${i}`, data: {} }])),
        ),
      );
      assert.equal((await one.store.readScope(round, null)).head?.head_seq, 2);
    }
    assert.deepEqual(await one.store.listScopes(null, 10), ['r1', 'r2', 'r3']);
  } finally {
    await one.close();
  }
});

test('[ST-4] a store writes its process into the database only when it commits, and takes it out', async () => {
  const tool = await openWatched();
  const nodes = tool.db.collection<{ _id: string }>('sync_meta');
  const ids = async () =>
    (await nodes.find({ _id: { $regex: '^node:' } }).toArray()).map((node) => node._id);
  try {
    await tool.store.readScope(SCOPE, null);
    assert.deepEqual(await ids(), []);
    const serving = await tool.another({ mode: 'serve', node_id: 'serving' });
    assert.deepEqual(await ids(), ['node:serving']);
    const [node] = await nodes.find({ _id: 'node:serving' }).toArray();
    assert.equal((node as unknown as { sessions: unknown[] }).sessions.length, 16);
    await serving.close();
    assert.deepEqual(await ids(), []);
  } finally {
    await tool.close();
  }
});
