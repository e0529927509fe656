/** What the embedded store promises beyond the contract: its folder, its durability, its failures. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { SyncStore } from '../../src/core/ports/store.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { databaseFile } from '../../src/storage/embedded/data-folder.ts';
import { openEmbeddedStore } from '../../src/storage/embedded/embedded-store.ts';
import { sqliteDriver } from '../../src/storage/embedded/sqlite-driver.ts';
import { CONTRACT_LAYOUT, rejectsWith, World } from './contract-world.ts';
import { openTemporaryStore, temporaryFolder } from './embedded-folder.ts';

const { clock } = nodeSystem;
const WRITER = fileURLToPath(new URL('./embedded-writer.entry.js', import.meta.url));

interface Folder {
  readonly data_dir: string;
  readonly store: SyncStore;
}

/** Runs `body` on a fresh store that is set up. */
async function onStore(body: (folder: Folder, world: World) => Promise<void>): Promise<void> {
  const opened = await openTemporaryStore();
  try {
    await opened.store.applySetup(CONTRACT_LAYOUT);
    await body(opened, new World(opened, 1));
  } finally {
    await opened.close();
  }
}

/** Opens the database beside the store, as another program would. */
async function openBeside(data_dir: string) {
  const driver = await sqliteDriver();
  return driver.open(databaseFile(data_dir), { readOnly: false, timeout: 1_000 });
}

test('[ST-4] a folder has one writing process at a time', async () => {
  await onStore(async ({ data_dir, store }) => {
    await rejectsWith(openEmbeddedStore({ data_dir, mode: 'write', clock }), 'locked');
    await store.close();
    const next = await openEmbeddedStore({ data_dir, mode: 'write', clock });
    assert.equal((await next.readMeta())?.epoch, CONTRACT_LAYOUT.new_epoch);
    await next.close();
  });
});

test('[ST-8] a reading process sees what is committed and writes nothing', async () => {
  await onStore(async ({ data_dir }, world) => {
    const reader = await openEmbeddedStore({ data_dir, mode: 'read', clock });
    assert.equal(reader.feed, null, 'it would be told of nothing [FE-4]');
    assert.deepEqual(await world.rows('scope', reader), []);
    await world.commit('scope', [{ doc_id: 'd', data: {} }]);
    assert.equal((await world.rows('scope', reader)).length, 1);
    await rejectsWith(world.commit('scope', [], { store: reader }), 'unavailable');
    await rejectsWith(reader.applySetup(CONTRACT_LAYOUT), 'unavailable');
    await rejectsWith(reader.prune('scope', 1), 'unavailable');
    await reader.close();
    assert.equal((await world.rows('scope')).length, 1);
  });
});

test('[ST-8] reading a folder that does not exist says so and makes nothing', async () => {
  const data_dir = path.join(temporaryFolder(), 'absent');
  await rejectsWith(openEmbeddedStore({ data_dir, mode: 'read', clock }), 'unavailable');
  await rejectsWith(openEmbeddedStore({ data_dir, mode: 'read', clock }), 'unavailable');
  rmSync(path.dirname(data_dir), { recursive: true });
});

test('[ST-3] a closed store is one file with everything in it', async () => {
  await onStore(async ({ data_dir, store }, world) => {
    await world.commit('scope', [{ doc_id: 'd', data: { n: 1 } }]);
    await store.close();
    rmSync(`${databaseFile(data_dir)}-wal`, { force: true });
    const again = await openEmbeddedStore({ data_dir, mode: 'read', clock });
    assert.equal((await world.rows('scope', again)).length, 1);
    await again.close();
    await rejectsWith(store.ping(), 'unavailable');
  });
});

test('[ST-2] closing waits for the work under way', async () => {
  await onStore(async ({ data_dir, store }, world) => {
    for (let i = 0; i < 3; i += 1) {
      const ids = Array.from({ length: 400 }, (_, place) => `d-${i}-${place}`);
      await world.commit(
        'scope',
        ids.map((doc_id) => ({ doc_id, data: {} })),
      );
    }
    const pruning = store.prune('scope', 1_100);
    const committing = world.commit('scope', [{ doc_id: 'last', data: {} }]);
    await store.close();
    assert.equal(await pruning, 1_100);
    assert.equal((await committing).written, true);
    const again = await openEmbeddedStore({ data_dir, mode: 'read', clock });
    assert.deepEqual((await world.rows('scope', again)).map((row) => row.seq).at(-1), 1_201);
    await again.close();
  });
});

test('[ST-4] a foreign write lock ends a group with its budget, and nothing is written', async () => {
  await onStore(async ({ data_dir }, world) => {
    const foreign = await openBeside(data_dir);
    foreign.exec('BEGIN IMMEDIATE');
    const group = world.group('scope', [{ doc_id: 'd', data: {} }]);
    await rejectsWith(world.store.commitGroup('scope', { ...group, budget_ms: 20 }), 'deadline');
    foreign.exec('ROLLBACK');
    foreign.close();
    assert.deepEqual(await world.rows('scope'), []);
    await world.commit('scope', [{ doc_id: 'd', data: {} }]);
  });
});

test('[ST-1] a lost head continues from the newest row of its scope', async () => {
  await onStore(async ({ data_dir }, world) => {
    await world.commit('scope', [{ doc_id: 'd', data: {} }]);
    const { head } = await world.store.readScope('scope', null);
    const foreign = await openBeside(data_dir);
    foreign.exec('DELETE FROM sync_scopes');
    foreign.close();
    const { outcome } = await world.commit('scope', [{ doc_id: 'd', data: { n: 2 } }]);
    assert.deepEqual(outcome.snapshot.head, head);
    assert.equal((await world.store.readScope('scope', null)).head?.head_seq, 2);
  });
});

test('[ST-1] a plan that forks the chain is never written', async () => {
  await onStore(async ({ store }, world) => {
    await world.commit('scope', [{ doc_id: 'd', data: {} }]);
    const group = world.group('scope', [{ doc_id: 'e', data: {} }]);
    const forked = store.commitGroup('scope', {
      ...group,
      decide: async (snapshot, refused) => {
        const { plan, outcome } = await group.decide(snapshot, refused);
        return { plan: { ...plan, rows: plan.rows.map((row) => ({ ...row, seq: 9 })) }, outcome };
      },
    });
    await assert.rejects(forked, { name: 'InvariantError' });
    assert.equal((await world.rows('scope')).length, 1);
    await world.commit('scope', [{ doc_id: 'e', data: {} }]);
  });
});

test('[ST-4] a newer schema is refused by every mode', async () => {
  await onStore(async ({ data_dir, store }) => {
    await store.close();
    const foreign = await openBeside(data_dir);
    foreign.exec("UPDATE sync_meta SET value = '999' WHERE key = 'schema_level'");
    foreign.close();
    for (const mode of ['write', 'read'] as const) {
      await rejectsWith(openEmbeddedStore({ data_dir, mode, clock }), 'locked');
    }
  });
});

test('[ST-8] integer ids page in text order', async () => {
  await onStore(async (_folder, world) => {
    const ids = ['10', '9', '-1', '2'];
    const changes = ids.map((doc_id) => ({ collection: 'numbers', doc_id, data: {} }));
    await world.commit('scope', changes);
    const page = { collection: 'numbers', limit: 2 };
    const lines = await world.lines('scope', 'documents', page);
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { doc_id: string }).doc_id),
      ['-1', '10', '2', '9'],
    );
  });
});

interface Writer {
  readonly process: ChildProcess;
  /** Lines that it printed so far. */
  readonly lines: string[];
  /** Resolves when it has printed `count` lines. */
  printed(count: number): Promise<void>;
  readonly ended: Promise<unknown>;
  readonly stderr: () => string;
}

function startWriter(command: string, args: readonly string[]): Writer {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  let stderr = '';
  let wake: () => void = () => {};
  child.stderr.on('data', (part) => {
    stderr += String(part);
  });
  const output = createInterface({ input: child.stdout });
  output.on('line', (line) => {
    lines.push(line);
    wake();
  });
  const ended = Promise.all([once(child, 'close'), once(output, 'close')]);
  void ended.then(() => wake());
  return {
    process: child,
    lines,
    ended,
    stderr: () => stderr,
    async printed(count) {
      while (lines.length < count && child.exitCode === null) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      assert.ok(lines.length >= count, stderr);
    },
  };
}

test('[ST-3] kill -9 frees the lock and keeps every resolved group', async () => {
  const data_dir = temporaryFolder();
  const resolved = new Set<string>();
  for (let round = 0; round < 3; round += 1) {
    const writer = startWriter(process.execPath, [WRITER, data_dir]);
    await writer.printed(30 + 20 * round);
    writer.process.kill('SIGKILL');
    await writer.ended;
    assert.equal(writer.stderr(), '');
    for (const line of writer.lines) if (line !== 'open') resolved.add(line);
    const store = await openEmbeddedStore({ data_dir, mode: 'write', clock });
    const world = new World({ store, close: () => store.close() }, 1);
    const rows = await world.rows('scope');
    const versions = new Set<string>(rows.map((row) => row.version));
    assert.deepEqual(
      [...resolved].filter((version) => !versions.has(version)),
      [],
    );
    assert.deepEqual(
      rows.map((row) => row.seq),
      rows.map((_, i) => i + 1),
    );
    assert.equal((await store.readScope('scope', null)).head?.head_seq, rows.length);
    await store.close();
  }
  rmSync(data_dir, { recursive: true });
});

test('[ST-3] a commit that fails in the file system stops all writing', async () => {
  const data_dir = temporaryFolder();
  const limited = `ulimit -f 2048 && exec "${process.execPath}" "${WRITER}" "${data_dir}" 400`;
  const writer = startWriter('/bin/sh', ['-c', limited]);
  await writer.ended;
  const { lines } = writer;
  const failures = lines.filter((line) => !/^\d{8}T/.test(line) && line !== 'open');
  assert.deepEqual([...new Set(failures)].sort(), ['commit_unknown', 'fatal', 'unavailable']);
  assert.equal(failures.filter((line) => line === 'fatal').length, 1);
  assert.equal(failures.filter((line) => line === 'commit_unknown').length, 1);
  const store = await openEmbeddedStore({ data_dir, mode: 'write', clock });
  const world = new World({ store, close: () => store.close() }, 1);
  const versions = new Set<string>((await world.rows('scope')).map((row) => row.version));
  const resolved = lines.filter((line) => /^\d{8}T/.test(line));
  assert.ok(resolved.length > 0);
  assert.deepEqual(
    resolved.filter((version) => !versions.has(version)),
    [],
  );
  await store.close();
  rmSync(data_dir, { recursive: true });
});
