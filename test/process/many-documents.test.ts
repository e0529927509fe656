/** A bootstrap of many documents: complete to the byte, and flat in memory. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test, type TestContext } from 'node:test';
import { SyncClient } from '../../examples/minimal-client.mjs';
import { canonicalJson, type Json } from '../../src/protocol/pure/canonical-json.ts';
import { forgetPeak, peakBytes, residentBytes } from '../support/process/memory.ts';
import { scratchFolder } from '../support/process/scratch.ts';
import { ServerProcess } from '../support/process/server-process.ts';
import {
  embeddedPlace,
  HAS_MONGODB,
  mongoPlace,
  type StorePlace,
} from '../support/process/store-place.ts';
import { tokenFor } from '../support/process/tokens.ts';
import { push, type WireChange } from '../support/process/wire.ts';

const EMBEDDED_DOCUMENTS = 100_000;
const MONGO_DOCUMENTS = 5_000;
const BATCH = 500;
const MIB = 2 ** 20;
const GROWTH_MAX = 64 * MIB;
const SCOPE = 'many';

describe('embedded: many documents', () => {
  test('[FU-1] [PR-10] 100,000 documents: equal digest, a warm server grows by less than 64 MiB (invariant 16)', async (t) => {
    const growth = await bootstrap(t, embeddedPlace(t), EMBEDDED_DOCUMENTS);
    assert.ok(growth < GROWTH_MAX, `the server grew by ${Math.round(growth / MIB)} MiB`);
  });
});

describe('mongo: many documents', { skip: !HAS_MONGODB }, () => {
  test('[FU-1] [PR-11] 5,000 documents: equal digest (invariant 16)', async (t) => {
    await bootstrap(t, await mongoPlace(t), MONGO_DOCUMENTS);
  });
});

/**
 * Two full resyncs by fresh clients. Returns how much the server's resident memory grew during the
 * second one, bytes: the first grows the heap of a young process to its working size, whatever the
 * number of documents; only what is kept per document would make the second one grow it again.
 */
async function bootstrap(t: TestContext, place: StorePlace, count: number): Promise<number> {
  const cwd = scratchFolder(t);
  const store = place.settings;
  const run = { server: await ServerProcess.start({ store, cwd }) };
  t.after(() => run.server.kill());
  const token = await tokenFor('actor', SCOPE);
  const pushed = performance.now();
  for (let from = 0; from < count; from += BATCH) {
    const changes = Array.from({ length: BATCH }, (_, i) => newDocument(from + i));
    const { results } = await push({ url: run.server.url, token, client_id: 'loader' }, changes);
    assert.ok(results.every(({ status }) => status === 'accepted'));
  }
  t.diagnostic(`pushed ${count} documents in ${Math.round(performance.now() - pushed)} ms`);
  // A fresh process has the least memory to begin with, so growth is not hidden in old pages.
  await run.server.stop();
  run.server = await ServerProcess.start({ store, cwd });
  const expected = expectedDigest(count);
  const growth: number[] = [];
  for (const which of ['first', 'second']) {
    const { digest, documents, grew, ms } = await resyncOnce(run.server, token);
    t.diagnostic(`${which} full of ${count}: ${ms} ms, ${Math.round(grew / MIB)} MiB more memory`);
    assert.equal(documents, count);
    assert.equal(digest, expected);
    growth.push(grew);
  }
  return growth.at(-1) as number;
}

interface Resync {
  readonly documents: number;
  readonly digest: string;
  /** From the server's memory before to its peak during the resync, bytes. */
  readonly grew: number;
  readonly ms: number;
}

async function resyncOnce({ pid, url }: ServerProcess, token: string): Promise<Resync> {
  const before = residentBytes(pid);
  forgetPeak(pid);
  const started = performance.now();
  const client = new SyncClient({ url, token, collections: ['tasks'] });
  await client.pull();
  const ms = Math.round(performance.now() - started);
  const grew = peakBytes(pid) - before;
  const got = client.list('tasks').sort((a, b) => (a.doc_id < b.doc_id ? -1 : 1));
  return { documents: got.length, digest: digestOf(got), grew, ms };
}

function newDocument(n: number): WireChange {
  const { doc_id, data } = documentAt(n);
  return {
    ...{ collection: 'tasks', operation: 'upsert', doc_id, data, parent_version: null },
    mutation_id: `load-${doc_id}`,
  } as WireChange;
}

/** Padded ids sort as their numbers do. */
function documentAt(n: number): { doc_id: string; data: Record<string, Json> } {
  const doc_id = String(n).padStart(6, '0');
  const data = {
    n,
    title: `Document ${n} – ünïcödé`,
    done: n % 3 === 0,
    tags: [`t${n % 7}`, null],
  };
  return { doc_id, data };
}

function expectedDigest(count: number): string {
  return digestOf(Array.from({ length: count }, (_, n) => documentAt(n)));
}

function digestOf(documents: readonly { doc_id: string; data: unknown }[]): string {
  const hash = createHash('sha256');
  for (const { doc_id, data } of documents) hash.update(canonicalJson({ doc_id, data } as Json));
  return hash.digest('hex');
}
