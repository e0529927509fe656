/** Which servers and URIs are accepted, and what an error may say. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import type { StartedMongo } from '../../scripts/mongodb.mjs';
import { StoreError, type StoreErrorKind } from '../../src/core/ports/store.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { openMongoStore } from '../../src/storage/mongo/mongo-store.ts';
import { CONTRACT_LAYOUT } from '../contract/contract-world.ts';
import { freshDatabase, startOwnMongo } from '../support/mongodb.ts';
import { groupOf } from './mongo-world.ts';

const PASSWORD = 'pass-word-that-must-not-show';
const ANSWER_LIMIT_MS = 10_000;

function open(uri: string, database = 'sync_test_topology') {
  return openMongoStore({
    uri,
    database,
    node_id: nodeSystem.crypto.randomBase36(8),
    clock: nodeSystem.clock,
    collections: CONTRACT_LAYOUT.collections,
  });
}

async function assertRefused(uri: string, kind: StoreErrorKind, message: RegExp): Promise<void> {
  const started = performance.now();
  await assert.rejects(open(uri), (error: unknown) => {
    assert.ok(error instanceof StoreError, inspect(error));
    assert.equal(error.kind, kind);
    assert.match(error.message, message);
    assert.ok(!inspect(error, { depth: 20 }).includes(PASSWORD), 'the password shows');
    return true;
  });
  assert.ok(performance.now() - started < ANSWER_LIMIT_MS);
}

const WEAK: readonly (readonly [string, RegExp])[] = [
  ['w=0', /w=0/],
  ['w=1', /w=0 and w=1/],
  ['journal=false', /journal/],
  ['readConcernLevel=local', /readConcernLevel/],
  ['readConcernLevel=available', /readConcernLevel/],
  ['readPreference=secondary', /readPreference/],
  ['readPreference=primaryPreferred', /readPreference/],
  ['tls=true&tlsInsecure=true', /tlsInsecure/],
  ['tls=true&tlsAllowInvalidCertificates=true', /tlsAllowInvalid/],
  ['tls=true&tlsAllowInvalidHostnames=true', /Hostnames/],
];

for (const [option, message] of WEAK) {
  test(`[ST-3] a URI with ${option} is refused`, () =>
    assertRefused(`mongodb://u:${PASSWORD}@127.0.0.1:1/?${option}`, 'unsupported', message));
}

for (const uri of [
  `mongodb://u:${PASSWORD}@`,
  `mongo://u:${PASSWORD}@host`,
  `mongodb://u:${PASSWORD}@host/?unknown=1`,
  `mongodb://u:${PASSWORD}@a:b:c/`,
]) {
  test(`[ST-3] a URI that is none is refused without quoting it: ${uri.length}`, () =>
    assertRefused(uri, 'unsupported', /URI/));
}

test('[ST-3] an unreachable database is reported in under 10 s', () =>
  assertRefused(
    `mongodb://u:${PASSWORD}@127.0.0.1:1/?replicaSet=rs0`,
    'unavailable',
    /does not answer/,
  ));

test('[ST-3] a standalone server is refused, and the answer says what to do', async () => {
  const server = await startOwnMongo({ standalone: true });
  try {
    await assertRefused(server.uri, 'unsupported', /one-member replica set/);
  } finally {
    await server.stop();
  }
});

test('[ST-3] with users, the right password opens the store and a wrong one says nothing', async () => {
  const server = await startOwnMongo({ auth: true });
  try {
    const store = await open(server.uri, 'sync_test_auth');
    await store.applySetup(CONTRACT_LAYOUT);
    await store.commitGroup('s', groupOf('s', [{ doc_id: 'a', data: {} }]));
    await store.close();
    const wrong = new URL(server.uri);
    wrong.password = PASSWORD;
    await assertRefused(wrong.href, 'unavailable', /does not answer|refused/);
  } finally {
    await server.stop();
  }
});

test('[ST-3] a killed database answers unavailable, and has every push when it is back', async () => {
  const storagePath = mkdtempSync(path.join(os.tmpdir(), 'sync-killed-'));
  const server = await startOwnMongo({ syncOnCommit: true, storagePath });
  const store = await open(server.uri);
  const port = Number(new URL(server.uri).port);
  let again: StartedMongo | undefined;
  try {
    await store.applySetup(CONTRACT_LAYOUT);
    await store.commitGroup('s', groupOf('s', [{ doc_id: 'a', data: {} }]));
    process.kill(server.pid as number, 'SIGKILL');
    await server.stop();
    await assert.rejects(store.ping(), { kind: 'unavailable' });
    const group = groupOf('s', [{ doc_id: 'b', data: {} }]);
    await assert.rejects(store.commitGroup('s', group), { kind: 'unavailable' });
    again = await startOwnMongo({ syncOnCommit: true, storagePath, port });
    await store.commitGroup('s', groupOf('s', [{ doc_id: 'c', data: {} }]));
    const rows = await store.readRows({
      scope_id: 's',
      after_seq: 0,
      max_rows: 10,
      max_bytes: 1_000,
    });
    assert.deepEqual(
      rows.map((row) => [row.seq, row.doc_id]),
      [
        [1, 'a'],
        [2, 'c'],
      ],
    );
  } finally {
    await store.close();
    await again?.stop();
    rmSync(storagePath, { recursive: true, force: true });
  }
});

test('[ST-3] opening leaves a fresh database without collections of business', async () => {
  const database = await freshDatabase();
  const store = await open(database.uri, database.name);
  assert.equal(await store.readMeta(), null);
  await store.close();
  await database.drop();
});
