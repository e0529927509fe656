/** SQLite below the embedded store: which one runs, how it is set, and what happens when it fails. */

import assert from 'node:assert/strict';
import { rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { GroupPlan } from '../../src/core/ports/store.ts';
import { StoreError } from '../../src/core/ports/store.ts';
import { PRUNE_SLICE_ROWS } from '../../src/protocol/pure/limits.ts';
import { Checkpointer } from '../../src/storage/embedded/checkpoint.ts';
import {
  type Connection,
  openConnection,
  readPragma,
} from '../../src/storage/embedded/connection.ts';
import { decodeSnapshot } from '../../src/storage/embedded/decode-rows.ts';
import { encodeLoad, encodePlan } from '../../src/storage/embedded/encode-plan.ts';
import { pruneSlice } from '../../src/storage/embedded/expiry.ts';
import { loadGroup, writeGroup } from '../../src/storage/embedded/group-transaction.ts';
import { applySteps } from '../../src/storage/embedded/setup.ts';
import {
  chooseDriver,
  SQLITE_VERSION_MIN,
  type SqliteDatabase,
  sqliteDriver,
} from '../../src/storage/embedded/sqlite-driver.ts';
import { CONTRACT_LAYOUT } from './contract-world.ts';
import { temporaryFolder } from './embedded-folder.ts';
import { loadOf, type PlannedChange, planBundle } from './plan-builder.ts';

/** A module whose SQLite claims to be of `version`. */
function moduleOf(version: string) {
  class DatabaseSync implements SqliteDatabase {
    readonly isTransaction = false;
    exec(): void {}
    close(): void {}
    prepare() {
      return {
        run: () => ({ changes: 0 }),
        get: () => ({ version }),
        all: () => [],
        setReturnArrays: () => {},
      };
    }
  }
  return { DatabaseSync };
}

test('[ST-3] the built-in SQLite runs where it is recent enough, else the packaged one', async () => {
  const choose = (builtin: string | undefined, bundled: string | undefined) =>
    chooseDriver({
      builtin: () => builtin && moduleOf(builtin),
      bundled: async () => bundled && moduleOf(bundled),
    } as Parameters<typeof chooseDriver>[0]);
  assert.equal((await choose(SQLITE_VERSION_MIN, '3.53.0')).name, 'node:sqlite');
  assert.equal((await choose('4.0.0', undefined)).name, 'node:sqlite');
  assert.equal((await choose('3.51.2', '3.53.0')).name, '@photostructure/sqlite');
  assert.equal((await choose('3.9.9', '3.51.10')).name, '@photostructure/sqlite');
  assert.equal((await choose(undefined, '3.53.0')).name, '@photostructure/sqlite');
  for (const [builtin, bundled] of [
    ['3.51.2', '3.45.1'],
    [undefined, undefined],
  ] as const) {
    await assert.rejects(choose(builtin, bundled), (error) => {
      assert.ok(error instanceof StoreError && error.kind === 'unavailable');
      assert.match(error.message, /node:sqlite .*@photostructure\/sqlite/);
      assert.match(error.message, /3\.51\.3/);
      return true;
    });
  }
});

test('[ST-3] the SQLite of this process is recent enough', async () => {
  const driver = await sqliteDriver();
  assert.equal(
    (await chooseDriver({ builtin: () => undefined, bundled })).sqlite_version,
    '3.53.0',
  );
  assert.ok(['node:sqlite', '@photostructure/sqlite'].includes(driver.name));
  async function bundled() {
    return (await import('@photostructure/sqlite')) as never;
  }
});

/** Runs `body` on a writer's connection to a fresh database that is set up. */
async function onWriter(body: (writer: Connection, file: string) => void): Promise<void> {
  const driver = await sqliteDriver();
  const folder = temporaryFolder();
  const file = path.join(folder, 'data.db');
  const writer = openConnection(driver, file, 'writer');
  try {
    applySteps(writer, { ...CONTRACT_LAYOUT, now_ms: 0 });
    body(writer, file);
  } finally {
    writer.close();
    rmSync(folder, { recursive: true });
  }
}

test('[ST-3] every opening writes through to the disk, the second one too', async () => {
  const driver = await sqliteDriver();
  const folder = temporaryFolder();
  for (let opening = 0; opening < 2; opening += 1) {
    const writer = openConnection(driver, path.join(folder, 'data.db'), 'writer');
    assert.equal(readPragma(writer, 'journal_mode'), 'wal');
    assert.equal(readPragma(writer, 'synchronous'), 2);
    assert.equal(readPragma(writer, 'wal_autocheckpoint'), 0);
    assert.equal(readPragma(writer, 'auto_vacuum'), 2);
    writer.exec(`CREATE TABLE t${opening} (a)`);
    const reader = openConnection(driver, path.join(folder, 'data.db'), 'reader');
    assert.equal(readPragma(reader, 'busy_timeout'), 5_000);
    assert.throws(() => reader.exec('CREATE TABLE u (a)'));
    reader.close();
    writer.close();
  }
  rmSync(folder, { recursive: true });
});

/** Loads, plans and writes one bundle; `change` may spoil the plan. */
function commit(
  writer: Connection,
  changes: readonly PlannedChange[],
  change: (plan: GroupPlan) => GroupPlan = (plan) => plan,
): void {
  const loaded = loadGroup(writer, encodeLoad('scope', loadOf('scope', changes)));
  const snapshot = decodeSnapshot('scope', loaded, 1_800_000_000_000);
  const plan = change(planBundle(snapshot, changes));
  writeGroup(writer, 'scope', encodePlan('scope', plan, snapshot.head));
}

function countRows(writer: Connection): number {
  return writer.first<[number]>('SELECT count(*) FROM sync_oplog', [])?.[0] ?? -1;
}

function bigChanges(count: number, tag: string): PlannedChange[] {
  const text = 'x'.repeat(8_000);
  return Array.from({ length: count }, (_, i) => ({ doc_id: `${tag}-${i}`, data: { text } }));
}

test('[ST-2] a full disk refuses the whole group and harms nothing', async () => {
  await onWriter((writer) => {
    commit(writer, bigChanges(1, 'first'));
    const pages = writer.first<[number]>('PRAGMA page_count', [])?.[0] ?? 0;
    writer.exec(`PRAGMA max_page_count = ${pages + 20}`);
    assert.throws(
      () => commit(writer, bigChanges(50, 'too-much')),
      (error) => error instanceof StoreError && error.kind === 'unavailable',
    );
    assert.equal(writer.inTransaction, false);
    assert.equal(countRows(writer), 1);
    commit(writer, [{ doc_id: 'small', data: {} }]);
    writer.exec('PRAGMA max_page_count = 1000000');
    commit(writer, bigChanges(50, 'room-again'));
    assert.equal(countRows(writer), 52);
  });
});

test('[ST-2] a statement that fails leaves no open transaction', async () => {
  await onWriter((writer) => {
    const spoil = (plan: GroupPlan): GroupPlan => ({
      ...plan,
      receipts: [{ actor_id: 'a', client_id: 'c', mutation_id: 'm' }] as never,
    });
    assert.throws(() => commit(writer, bigChanges(1, 'first'), spoil));
    assert.equal(writer.inTransaction, false);
    assert.equal(countRows(writer), 0);
    writer.exec('DROP TABLE sync_receipts');
    assert.throws(
      () => commit(writer, [{ doc_id: 'd', data: {}, mutation_id: 'm' }]),
      (error) => error instanceof StoreError && error.kind === 'failed',
    );
    assert.equal(writer.inTransaction, false);
  });
});

test('[ST-3] the log is moved into the database when it is long or nothing is to do', async () => {
  await onWriter((writer, file) => {
    const checkpointer = new Checkpointer(writer);
    const pending = () => {
      const row = writer.first<[number, number, number]>('PRAGMA wal_checkpoint(NOOP)', []);
      return (row?.[1] ?? 0) - (row?.[2] ?? 0);
    };
    commit(writer, bigChanges(100, 'a'));
    const short = pending();
    assert.ok(short > 256);
    checkpointer.afterGroup();
    assert.equal(pending(), short);
    checkpointer.whenIdle();
    assert.equal(pending(), 0);
    for (let i = 0; i < 12; i += 1) {
      commit(writer, bigChanges(100, `b${i}`));
      checkpointer.afterGroup();
    }
    assert.ok(pending() < 4_096 + short);
    checkpointer.atClose();
    assert.equal(statSync(`${file}-wal`).size, 0);
  });
});

test('[ST-3] a reader that stays keeps the log, and writing goes on', async () => {
  const driver = await sqliteDriver();
  await onWriter((writer, file) => {
    const reader = openConnection(driver, file, 'reader');
    reader.exec('BEGIN');
    reader.first('SELECT count(*) FROM sync_oplog', []);
    const checkpointer = new Checkpointer(writer);
    for (let i = 0; i < 12; i += 1) {
      commit(writer, bigChanges(100, `c${i}`));
      checkpointer.afterGroup();
      checkpointer.whenIdle();
    }
    assert.equal(countRows(writer), 1_200);
    assert.deepEqual(reader.first('SELECT count(*) FROM sync_oplog', []), [0]);
    reader.exec('COMMIT');
    reader.close();
    checkpointer.atClose();
    assert.equal(statSync(`${file}-wal`).size, 0);
  });
});

test('[ST-1] pruned space goes back to the file system', async () => {
  await onWriter((writer) => {
    for (let i = 0; i < 15; i += 1) commit(writer, bigChanges(100, `d${i}`));
    const pages = () => Number(readPragma(writer, 'page_count'));
    const before = pages();
    assert.equal(pruneSlice(writer, 'scope', 1_500), PRUNE_SLICE_ROWS);
    assert.equal(pruneSlice(writer, 'scope', 1_500), PRUNE_SLICE_ROWS);
    assert.equal(pruneSlice(writer, 'scope', 1_200), 200);
    assert.ok(pages() < before);
    const oldest = writer.first('SELECT min(seq), count(*) FROM sync_oplog', []);
    assert.deepEqual(oldest, [1_201, 300]);
  });
});
