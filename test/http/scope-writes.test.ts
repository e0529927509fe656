/** Writes of the application under the scope's lock: what clients get of them, and what is refused. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ClientSession, type MongoClient, ObjectId } from 'mongodb';
import type { ScopeWrite } from '../../src/index.ts';
import { startOwnMongo } from '../support/mongodb.ts';
import { openServer, PLACES } from './support/embedded-app.ts';
import { openWorld as open, refusal, SCOPE } from './support/scope-world.ts';

const onMongo = PLACES.includes('mongo');

for (const kind of PLACES) {
  describe(`${kind}: scope writes`, () => {
    test('[LB-10] upsert and delete are one bundle that clients pull', async (t) => {
      const { sync, rows } = await open(t, kind);
      const first = await sync.withScopeWrite(
        SCOPE,
        async (write) => {
          await write.upsert('tasks', 't1', { title: 'A', due: new Date(0) });
          await write.upsert('notes', 'n1', { text: 'B' });
          return 'done';
        },
        { actor_id: 'job' },
      );
      const second = await sync.withScopeWrite(SCOPE, (write) => write.delete('tasks', 't1'));
      assert.deepEqual([first.value, first.bundle_seq, second.bundle_seq], ['done', 1, 2]);
      const found = await rows();
      assert.deepEqual(
        found.map(({ collection, doc_id, operation, data, bundle_seq }) => ({
          ...{ at: `${collection}/${doc_id}`, operation, data, bundle_seq },
        })),
        [
          {
            at: 'tasks/t1',
            operation: 'upsert',
            data: { title: 'A', due: { $date: '1970-01-01T00:00:00.000Z' } },
            bundle_seq: 1,
          },
          { at: 'notes/n1', operation: 'upsert', data: { text: 'B' }, bundle_seq: 1 },
          { at: 'tasks/t1', operation: 'delete', data: null, bundle_seq: 2 },
        ],
      );
      assert.deepEqual(
        [...first.rows, ...second.rows].map(({ version }) => version),
        found.map(({ version }) => version),
      );
      assert.equal(found[2]?.parent_version, found[0]?.version);
    });

    test('[LB-12] what cannot be synced is refused and leaves nothing', async (t) => {
      const { sync, rows } = await open(t, kind, {
        max_document_bytes: 1_000,
        push_max_changes: 3,
      });
      const write = (work: (write: ScopeWrite) => Promise<unknown>, scope = SCOPE) =>
        sync.withScopeWrite(scope, async (one) => {
          await one.upsert('notes', 'n1', { text: 'goes with the rest' });
          await work(one);
        });
      const big = { text: 'x'.repeat(2_000) };
      await assert.rejects(
        write((w) => w.upsert('tasks', 't1', big)),
        refusal('change_refused'),
      );
      await assert.rejects(
        write((w) => w.upsert('tasks', 't1', { _sync_a: 1 })),
        refusal('change_refused'),
      );
      await assert.rejects(
        write((w) => w.upsert('tasks', 't1', { at: new ObjectId() })),
        refusal('change_refused'),
      );
      await assert.rejects(
        write((w) => w.upsert('absent', 't1', {})),
        refusal('change_refused'),
      );
      await assert.rejects(
        write(async (w) => {
          for (const id of ['a', 'b', 'c']) await w.upsert('tasks', id, {});
        }),
        refusal('too_many_documents'),
      );
      await assert.rejects(
        write(async () => {}, 'a\u0000b'),
        refusal('invalid_scope'),
      );
      await assert.rejects(
        sync.withScopeWrite(SCOPE, async () => {}),
        refusal('nothing_written'),
      );
      const mine = new Error('mine');
      await assert.rejects(
        write(() => Promise.reject(mine)),
        (error) => error === mine,
      );
      let kept: ScopeWrite | undefined;
      await sync.withScopeWrite(SCOPE, async (one) => {
        kept = one;
        await one.upsert('tasks', 'only', {});
      });
      await assert.rejects(async () => kept?.upsert('tasks', 'late', {}), refusal('write_ended'));
      assert.deepEqual(
        (await rows()).map(({ doc_id }) => doc_id),
        ['only'],
      );
    });

    test('[LB-10] a logger that throws makes no committed write look like a failed one', async (t) => {
      let told = 0;
      const fail = (): void => {
        told += 1;
        throw new Error('the log is full');
      };
      const logger = { error: fail, warn: fail, info: fail, debug: fail };
      const { sync, rows } = await open(t, kind, { logger });
      const before = told;
      const set = () => sync.withScopeWrite(SCOPE, (write) => write.upsert('tasks', 't1', {}));
      assert.equal((await set()).bundle_seq, 1);
      assert.equal((await rows()).length, 1);
      assert.ok(told > before);
    });

    test('[LB-12] the same content again is no error and no row', async (t) => {
      const { sync, rows } = await open(t, kind);
      const set = () => sync.withScopeWrite(SCOPE, (w) => w.upsert('tasks', 't1', { n: 1 }));
      await set();
      const again = await set();
      assert.deepEqual([again.bundle_seq, again.rows], [null, []]);
      assert.equal((await rows()).length, 1);
    });
  });
}

describe('mongo: scope writes without transactions', { skip: !onMongo }, () => {
  test('[LB-13] on a standalone server upsert and delete are one push, sessions are refused', async (t) => {
    const server = await startOwnMongo({ standalone: true });
    t.after(() => server.stop());
    const options = { store: 'mongo', transactions: 'off', database_name: 'alone' } as const;
    const place = { name: 'mongo', options: { ...options, mongodb_uri: server.uri } } as const;
    const sync = await openServer(t, { ...place, client: undefined, database: 'alone' });
    const { bundle_seq, rows } = await sync.withScopeWrite(SCOPE, async (write) => {
      await write.upsert('tasks', 't1', { n: 1 });
      await write.upsert('notes', 'n1', { n: 1 });
    });
    assert.deepEqual([bundle_seq, rows.length], [1, 2]);
    const recorded = sync.withScopeWrite(SCOPE, (write) => write.record('tasks', 't1'));
    await assert.rejects(recorded, refusal('unsupported'));
    const session = {} as ScopeWrite['session'];
    await assert.rejects(
      sync.buildSyncMetadata({ scope_id: SCOPE, session }),
      refusal('unsupported'),
    );
  });
});

test('[LB-13] on the embedded store sessions, record and foreign transactions are refused', async (t) => {
  const { sync } = await open(t, 'embedded');
  const within = (work: (write: ScopeWrite) => unknown) =>
    sync.withScopeWrite(SCOPE, async (write) => void (await work(write)));
  await assert.rejects(
    within((write) => write.session),
    refusal('unsupported'),
  );
  await assert.rejects(
    within((write) => write.record('tasks', 't1')),
    refusal('unsupported'),
  );
  const session = {} as ScopeWrite['session'];
  const metadata = sync.buildSyncMetadata({ scope_id: SCOPE, session });
  await assert.rejects(metadata, refusal('unsupported'));
});

describe('mongo: scope writes with the driver', { skip: !onMongo }, () => {
  test('[LB-11] whatever the driver did in the session becomes the rows, one commit with other collections', async (t) => {
    const { sync, rows, plain } = await open(t, 'mongo');
    const tasks = plain('tasks');
    await sync.withScopeWrite(SCOPE, async (write) => {
      for (const id of ['t1', 't2', 't3', 't4']) await write.upsert('tasks', id, { n: 0 });
    });
    await tasks.insertOne({ _id: 'other', n: 0 });
    const { value } = await sync.withScopeWrite(SCOPE, async (write) => {
      const { session } = write;
      await tasks.updateOne({ _id: 't1' }, { $inc: { n: 5 } }, { session });
      await tasks.replaceOne({ _id: 't2' }, { replaced: true }, { session });
      await tasks.deleteOne({ _id: 't3' }, { session });
      await tasks.insertOne({ _id: 't5', fresh: true }, { session });
      await plain('audit').insertOne({ _id: 'a1', what: 'five tasks' }, { session });
      for (const id of ['t1', 't2', 't3', 't4', 't5']) write.record('tasks', id);
      return tasks.findOne({ _id: 't1' }, { session });
    });
    assert.equal(value?.['n'], 5);
    const found = await rows();
    const last = found.filter(({ bundle_seq }) => bundle_seq === 2);
    assert.deepEqual(
      last.map(({ doc_id, operation, data }) => [doc_id, operation, data]),
      [
        ['t1', 'upsert', { n: 5 }],
        ['t2', 'upsert', { replaced: true }],
        ['t3', 'delete', null],
        ['t5', 'upsert', { fresh: true }],
      ],
    );
    const parents = new Map(found.slice(0, 4).map(({ doc_id, version }) => [doc_id, version]));
    for (const row of last) assert.equal(row.parent_version, parents.get(row.doc_id) ?? null);
    const stamped = await tasks.find({ _sync_scope_id: SCOPE }).sort({ _id: 1 }).toArray();
    assert.deepEqual(
      stamped.map(({ _id }) => _id),
      ['t1', 't2', 't4', 't5'],
    );
    assert.ok((await plain('audit').findOne({ _id: 'a1' })) !== null);
    const { bundle_seq } = await sync.withScopeWrite(SCOPE, (write) => write.record('tasks', 't1'));
    assert.equal(bundle_seq, null, 'a document that did not change leaves no row');
  });

  test('[LB-11] tombstones in place: a delete marks the document, an upsert takes the mark back', async (t) => {
    const { sync, rows, plain } = await open(t, 'mongo', {
      collections: { tasks: { tombstones: 'in_place' }, notes: {} },
    });
    const tasks = plain('tasks');
    await sync.withScopeWrite(SCOPE, (write) => write.upsert('tasks', 't1', { n: 1 }));
    await sync.withScopeWrite(SCOPE, (write) => write.delete('tasks', 't1'));
    const husk = await tasks.findOne({ _id: 't1' });
    await sync.withScopeWrite(SCOPE, (write) => write.upsert('tasks', 't1', { n: 2 }));
    await sync.withScopeWrite(SCOPE, async (write) => {
      const mark = { $set: { _sync_deleted: true } };
      await tasks.updateOne({ _id: 't1' }, mark, { session: write.session });
      write.record('tasks', 't1');
    });
    const found = await rows();
    assert.deepEqual(
      found.map(({ operation }) => operation),
      ['upsert', 'delete', 'upsert', 'delete'],
    );
    assert.deepEqual([husk?.['_sync_deleted'], husk?.['n']], [true, 1]);
    assert.deepEqual(
      found.map(({ parent_version }) => parent_version),
      [null, ...found.slice(0, 3).map(({ version }) => version)],
    );
    assert.equal(await plain('sync_tombstones').countDocuments(), 0);
  });

  test('[LB-11] [TB-2] a delete never removes a document that the application marked', async (t) => {
    const { sync, rows, plain } = await open(t, 'mongo');
    const tasks = plain('tasks');
    await sync.withScopeWrite(SCOPE, (write) => write.upsert('tasks', 't1', { n: 1 }));
    await tasks.updateOne({ _id: 't1' }, { $set: { _sync_deleted: true } });
    for (const count of [1, 0]) {
      const deleted = await sync.withScopeWrite(SCOPE, (write) => write.delete('tasks', 't1'));
      assert.equal(deleted.rows.length, count);
      const husk = await tasks.findOne({ _id: 't1' });
      assert.deepEqual([husk?.['n'], husk?.['_sync_deleted']], [1, true]);
    }
    const found = await rows();
    assert.deepEqual(
      found.map(({ operation }) => operation),
      ['upsert', 'delete'],
    );
  });

  test('[LB-12] a function that ends the transaction itself gets nothing written about it', async (t) => {
    const { sync, rows, plain } = await open(t, 'mongo');
    await sync.withScopeWrite(SCOPE, (write) => write.upsert('tasks', 't1', { n: 1 }));
    for (const end of ['commitTransaction', 'abortTransaction'] as const) {
      await plain('tasks').updateOne({ _id: 't1' }, { $inc: { n: 1 } });
      const ended = sync.withScopeWrite(SCOPE, async ({ session, record }) => {
        record('tasks', 't1');
        await (session as ClientSession)[end]();
      });
      await assert.rejects(ended, refusal('transaction_required'));
    }
    assert.equal((await rows()).length, 1);
    const { rows: taken } = await sync.withScopeWrite(SCOPE, ({ record }) => record('tasks', 't1'));
    assert.equal(taken.length, 1);
  });

  test('[LB-12] a document that names another scope is refused before the engine took it over as well', async (t) => {
    const { sync, rows, plain } = await open(t, 'mongo', {
      collections: { owned: { scope_field: 'team' }, tasks: {} },
    });
    await plain('owned').insertOne({ _id: 'o1', team: 'blue', n: 1 });
    await plain('tasks').insertOne({ _id: 't1', _sync_scope_id: 'blue', n: 1 });
    for (const [name, id] of [
      ['owned', 'o1'],
      ['tasks', 't1'],
    ] as const) {
      for (const change of [
        (w: ScopeWrite) => w.upsert(name, id, { n: 2 }),
        (w: ScopeWrite) => w.delete(name, id),
      ]) {
        const taken = sync.withScopeWrite(SCOPE, change);
        await assert.rejects(taken, refusal('scope_move_unsupported'));
      }
      assert.equal((await plain(name).findOne({ _id: id }))?.['n'], 1);
    }
    assert.deepEqual(await rows(), []);
  });

  test('[LB-12] a document of another scope, a changed stamp and a move roll everything back', async (t) => {
    const { sync, rows, plain } = await open(t, 'mongo', {
      collections: { tasks: {}, notes: {}, owned: { scope_field: 'team' } },
    });
    const tasks = plain('tasks');
    await sync.withScopeWrite('blue', (write) => write.upsert('tasks', 'b1', { n: 1 }));
    await sync.withScopeWrite(SCOPE, (write) => write.upsert('owned', 'o1', { n: 1 }));
    await sync.withScopeWrite(SCOPE, (write) => write.upsert('tasks', 't1', { n: 1 }));
    const within = (work: (write: ScopeWrite) => Promise<unknown>) =>
      sync.withScopeWrite(SCOPE, async (write) => {
        await plain('audit').insertOne({ _id: 'a1' }, { session: write.session });
        await work(write);
      });
    for (const change of [
      (w: ScopeWrite) => tasks.updateOne({ _id: 'b1' }, { $set: { n: 2 } }, { session: w.session }),
      (w: ScopeWrite) => tasks.replaceOne({ _id: 'b1' }, { n: 2 }, { session: w.session }),
      (w: ScopeWrite) => tasks.deleteOne({ _id: 'b1' }, { session: w.session }),
      (w: ScopeWrite) => w.upsert('tasks', 'b1', { n: 2 }),
    ]) {
      const moved = within(async (write) => {
        await change(write);
        write.record('tasks', 'b1');
      });
      await assert.rejects(moved, refusal('scope_move_unsupported'));
    }
    const leaves = within(async (write) => {
      await plain('owned').updateOne(
        { _id: 'o1' },
        { $set: { team: 'blue' } },
        { session: write.session },
      );
      write.record('owned', 'o1');
    });
    await assert.rejects(leaves, refusal('scope_move_unsupported'));
    const forged = within(async (write) => {
      await tasks.updateOne(
        { _id: 't1' },
        { $set: { _sync_version: 'x' } },
        { session: write.session },
      );
      write.record('tasks', 't1');
    });
    await assert.rejects(forged, refusal('engine_fields_changed'));
    await assert.rejects(
      within(async (w) => w.record('nowhere', 't1')),
      refusal('invalid_document'),
    );
    assert.equal(await plain('audit').countDocuments(), 0);
    assert.equal((await tasks.findOne({ _id: 'b1' }))?.['n'], 1);
    assert.deepEqual(
      (await rows('blue')).map(({ doc_id }) => doc_id),
      ['b1'],
    );
    assert.equal((await rows()).length, 2);
  });

  test('[LB-12] documents that are too large, and a database that refuses the stamp, are refused', async (t) => {
    const { sync, rows, place, plain } = await open(t, 'mongo', { max_document_bytes: 1_000 });
    const within = (id: string, fields: object) =>
      sync.withScopeWrite(SCOPE, async ({ session, record }) => {
        await plain('tasks').insertOne({ _id: id, ...fields }, { session });
        record('tasks', id);
      });
    await assert.rejects(within('t1', { text: 'x'.repeat(2_000) }), refusal('document_too_large'));
    const db = (place.client as MongoClient).db(place.database);
    const validator = { _sync_version: { $exists: false } };
    await db.command({ collMod: 'tasks', validator });
    await assert.rejects(within('t2', { n: 1 }), refusal('document_refused'));
    assert.equal(await plain('tasks').countDocuments(), 0);
    assert.deepEqual(await rows(), []);
  });

  test('[LB-11] a driver error of the function is thrown as it is, a transient one runs it again', async (t) => {
    const { sync, rows, plain } = await open(t, 'mongo');
    await plain('audit').insertOne({ _id: 'a1', n: 0 });
    const twice = sync.withScopeWrite(SCOPE, async (write) => {
      await plain('audit').insertOne({ _id: 'a1' }, { session: write.session });
      await write.upsert('tasks', 't1', {});
    });
    await assert.rejects(twice, { code: 11_000 });
    let runs = 0;
    const { attempts, value } = await sync.withScopeWrite(SCOPE, async (write) => {
      runs += 1;
      await plain('audit').findOne({ _id: 'a1' }, { session: write.session });
      // Somebody else changes the document after this transaction has begun: a write conflict.
      if (runs === 1) await plain('audit').updateOne({ _id: 'a1' }, { $inc: { n: 1 } });
      await plain('audit').updateOne(
        { _id: 'a1' },
        { $inc: { n: 10 } },
        { session: write.session },
      );
      await write.upsert('tasks', 't1', { run: runs });
      return runs;
    });
    assert.deepEqual([attempts, value, runs], [2, 2, 2]);
    assert.equal((await plain('audit').findOne({ _id: 'a1' }))?.['n'], 11);
    assert.deepEqual(
      (await rows()).map(({ data }) => data),
      [{ run: 2 }],
    );
  });
});
