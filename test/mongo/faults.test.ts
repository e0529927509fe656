/** A fault at any statement of a push: nothing is lost, nothing is doubled, nothing is half there. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoreError } from '../../src/core/ports/store.ts';
import { receiptKey } from '../contract/plan-builder.ts';
import { serverWithFailPoints } from '../support/mongodb.ts';
import { startLossyProxy } from './lossy-proxy.ts';
import { groupOf, openWatched, type WatchedStore } from './mongo-world.ts';

const SCOPE = 'scope-1';
const server = serverWithFailPoints();

/** A fault that the server injects into the next command of a name. */
interface Fault {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const TRANSIENT = { errorLabels: ['TransientTransactionError'] };
const UNKNOWN = { errorLabels: ['UnknownTransactionCommitResult'] };

const STATEMENT_FAULTS: readonly Fault[] = [
  { name: 'a cut connection', data: { closeConnection: true } },
  { name: 'WriteConflict', data: { errorCode: 112, ...TRANSIENT } },
  { name: 'NoSuchTransaction', data: { errorCode: 251, ...TRANSIENT } },
  { name: 'LockTimeout', data: { errorCode: 24, ...TRANSIENT } },
  { name: 'InterruptedAtShutdown', data: { errorCode: 11_600, ...TRANSIENT } },
  { name: 'NotWritablePrimary', data: { errorCode: 10_107, ...TRANSIENT } },
  { name: 'WriteConflict without its label', data: { errorCode: 112, errorLabels: [] } },
];

const COMMIT_FAULTS: readonly Fault[] = [
  { name: 'a cut connection', data: { closeConnection: true } },
  { name: 'WriteConflict', data: { errorCode: 112, ...TRANSIENT } },
  { name: 'NoSuchTransaction', data: { errorCode: 251, ...TRANSIENT } },
  { name: 'InterruptedAtShutdown', data: { errorCode: 11_600, ...UNKNOWN } },
  { name: 'PrimarySteppedDown', data: { errorCode: 189, ...UNKNOWN } },
  { name: 'MaxTimeMSExpired', data: { errorCode: 50, ...UNKNOWN } },
];

async function arm(command: string, fault: Fault, times: number): Promise<void> {
  await server.admin.db('admin').command({
    configureFailPoint: 'failCommand',
    mode: { times },
    data: { failCommands: [command], ...fault.data },
  });
}

async function disarm(): Promise<void> {
  await server.admin.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
}

/** Exactly the rows, receipts and documents of these mutations, in an unbroken chain. */
async function assertExactly({ store }: WatchedStore, mutations: readonly string[]): Promise<void> {
  const { head } = await store.readScope(SCOPE, null);
  const range = { scope_id: SCOPE, after_seq: 0, max_rows: 100, max_bytes: 1_000_000 };
  const rows = await store.readRows(range);
  const ids = rows.map(
    (row) => (JSON.parse(`${row.line}}`) as { mutation_id: string }).mutation_id,
  );
  assert.deepEqual(ids, mutations);
  assert.deepEqual([head?.head_seq, head?.head_version], [rows.length, rows.at(-1)?.version]);
  for (const [i, row] of rows.entries()) assert.equal(row.prev, rows[i - 1]?.version ?? '');
  const receipts = await store.findReceipts(mutations.map((id) => receiptKey([SCOPE], id)));
  assert.equal(receipts.length, mutations.length);
  const keys = mutations.map((id) => ({ collection: 'tasks', doc_id: `d-${id}` }));
  assert.equal((await store.readDocuments(SCOPE, keys)).length, mutations.length);
}

function pushOf(mutation_id: string) {
  return groupOf(SCOPE, [{ doc_id: `d-${mutation_id}`, data: { mutation_id }, mutation_id }]);
}

async function surviveFault(command: string, fault: Fault, times: number): Promise<void> {
  const watched = await openWatched({ server: server.started });
  try {
    await watched.store.commitGroup(SCOPE, pushOf('m-1'));
    watched.takeFailed();
    await arm(command, fault, times);
    const { written } = await watched.store.commitGroup(SCOPE, pushOf('m-2'));
    assert.equal(written, true);
    const failed = watched.takeFailed().filter((one) => one.name === command);
    assert.equal(failed.length, times, 'the fault happened');
    await assertExactly(watched, ['m-1', 'm-2']);
    const repeated = await watched.store.commitGroup(SCOPE, pushOf('m-2'));
    assert.equal(repeated.written, false);
    await assertExactly(watched, ['m-1', 'm-2']);
  } finally {
    await disarm();
    await watched.close();
  }
}

for (const command of ['findAndModify', 'aggregate', 'find', 'bulkWrite']) {
  for (const fault of STATEMENT_FAULTS) {
    test(`[ST-2] ${fault.name} at ${command} runs the group again`, () =>
      surviveFault(command, fault, 1));
  }
}

for (const fault of COMMIT_FAULTS) {
  for (const times of [1, 3]) {
    test(`[ST-2] ${fault.name} at commit, ${times} times, commits once`, () =>
      surviveFault('commitTransaction', fault, times));
  }
}

test('[ST-3] a commit that stays unknown is reported as unknown, and a repeat tells', async () => {
  const watched = await openWatched({ server: server.started });
  try {
    await watched.store.commitGroup(SCOPE, pushOf('m-1'));
    await arm('commitTransaction', { name: '', data: { errorCode: 50, ...UNKNOWN } }, 1_000);
    const unknown = watched.store.commitGroup(SCOPE, { ...pushOf('m-2'), budget_ms: 300 });
    await assert.rejects(unknown, { kind: 'commit_unknown' });
    await disarm();
    await watched.store.commitGroup(SCOPE, pushOf('m-2'));
    await assertExactly(watched, ['m-1', 'm-2']);
  } finally {
    await disarm();
    await watched.close();
  }
});

test('[ST-2] an error that no repeat cures ends the group at once', async () => {
  const watched = await openWatched({ server: server.started });
  try {
    await watched.store.commitGroup(SCOPE, pushOf('m-1'));
    await arm('bulkWrite', { name: '', data: { errorCode: 13 } }, 1);
    await assert.rejects(watched.store.commitGroup(SCOPE, pushOf('m-2')), (error) => {
      assert.ok(error instanceof StoreError);
      return error.kind === 'failed';
    });
    await assertExactly(watched, ['m-1']);
    await watched.store.commitGroup(SCOPE, pushOf('m-2'));
    await assertExactly(watched, ['m-1', 'm-2']);
  } finally {
    await disarm();
    await watched.close();
  }
});

for (const command of ['findAndModify', 'bulkWrite', 'commitTransaction']) {
  test(`[ST-3] a lost answer of ${command} neither loses nor doubles the push`, async () => {
    const proxy = await startLossyProxy(server.started.uri);
    const watched = await openWatched({ server: proxy });
    try {
      await watched.store.commitGroup(SCOPE, pushOf('m-1'));
      proxy.loseAnswerOf(command);
      await watched.store.commitGroup(SCOPE, pushOf('m-2'));
      assert.equal(proxy.lost, 1);
      await assertExactly(watched, ['m-1', 'm-2']);
      await watched.store.commitGroup(SCOPE, pushOf('m-3'));
      await assertExactly(watched, ['m-1', 'm-2', 'm-3']);
    } finally {
      await watched.close();
      await proxy.close();
    }
  });
}
