/** A status over 1,000 and over 100,000 documents: what is read is counted, at the port and in SQLite. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { OpenStore } from '../../src/core/ports/scope-writes.ts';
import type { SyncStore } from '../../src/core/ports/store.ts';
import type { Hlc } from '../../src/protocol/pure/hlc.ts';
import { Connection } from '../../src/storage/embedded/connection.ts';
import { databaseFile } from '../../src/storage/embedded/data-folder.ts';
import { findFirstRow, findHead, findHeadAndRow } from '../../src/storage/embedded/reads.ts';
import { type SqlValue, sqliteDriver } from '../../src/storage/embedded/sqlite-driver.ts';
import { request, world } from '../support/engine/engine-world.ts';
import { SCOPE } from '../support/engine/records.ts';
import { BUDGET_MS, CONTRACT_LAYOUT } from './contract-world.ts';
import { openTemporaryStore } from './embedded-folder.ts';
import { loadOf, planBundle } from './plan-builder.ts';

const BUNDLE = 1_000;

/** Adds bundles of new documents to the scope; the head after each. */
async function grow(store: SyncStore, from: number, to: number): Promise<(Hlc | '')[]> {
  const heads: (Hlc | '')[] = [];
  for (let at = from; at < to; at += BUNDLE) {
    const changes = Array.from({ length: BUNDLE }, (_, i) => ({
      doc_id: `d${at + i}`,
      data: { n: at + i },
    }));
    const { outcome } = await store.commitGroup(SCOPE, {
      load: loadOf(SCOPE, changes),
      budget_ms: BUDGET_MS,
      decide: (snapshot) => {
        const plan = planBundle(snapshot, changes);
        return { plan, outcome: plan.head.head_version };
      },
    });
    heads.push(outcome);
  }
  return heads;
}

/** The store, and every record that came out of it by the method that gave it. */
function counted(store: SyncStore): { readonly store: OpenStore; take(): string[] } {
  let seen: string[] = [];
  const proxy = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return async (...values: unknown[]) => {
        const result: unknown = await value.apply(target, values);
        seen.push(`${String(name)} ${recordsIn(result)}`);
        return result;
      };
    },
  });
  const take = () => {
    const taken = seen;
    seen = [];
    return taken;
  };
  return { store: proxy as OpenStore, take };
}

/** Records of a result: itself, the members of a list, or the parts of a pair that are there. */
function recordsIn(result: unknown): number {
  if (Array.isArray(result)) return result.length;
  if (typeof result !== 'object' || result === null) return 0;
  const parts = Object.values(result).filter((part) => typeof part === 'object');
  return parts.length === 0 ? 1 : parts.filter((part) => part !== null).length;
}

/** How SQLite finds what a status asks for: one line per table. */
async function plansOf(data_dir: string): Promise<string[]> {
  const database = (await sqliteDriver()).open(databaseFile(data_dir), {
    readOnly: true,
    timeout: 5_000,
  });
  const lines: string[] = [];
  class Explaining extends Connection {
    override first<Row>(sql: string, values: readonly SqlValue[]): Row | undefined {
      const steps = this.all<[number, number, number, string]>(`EXPLAIN QUERY PLAN ${sql}`, values);
      lines.push(...steps.map(([, , , detail]) => detail));
      return undefined;
    }
  }
  const connection = new Explaining(database);
  try {
    findHead(connection, SCOPE);
    findHeadAndRow(connection, SCOPE, 'x');
    findFirstRow(connection, SCOPE);
  } finally {
    database.close();
  }
  return lines;
}

test('[SU-4] embedded: the same few records are read over 1,000 and over 100,000 documents', async () => {
  const { store, data_dir, close } = await openTemporaryStore();
  try {
    await store.applySetup(CONTRACT_LAYOUT);
    const watched = counted(store);
    const { engine } = world({ store: watched.store });
    const [early] = await grow(store, 0, 1_000);
    assert.ok(early !== undefined && early !== '');
    const readFor = async (since: Hlc) => {
      watched.take();
      const said = await engine.status(request(), { since });
      return { read: watched.take(), said };
    };
    const small = await readFor(early);
    await grow(store, 1_000, 100_000);
    const large = await readFor(early);
    assert.deepEqual(small.read, ['readScope 2', 'firstRow 1']);
    assert.deepEqual(large.read, small.read);
    assert.deepEqual([small.said.pending_pull_count, small.said.needs_sync], [0, false]);
    assert.deepEqual([large.said.pending_pull_count, large.said.capped], [1_000, true]);
    assert.equal(large.said.head_bundle_seq, 100);

    const plans = await plansOf(data_dir);
    const searches = plans.filter((line) => /^SEARCH \w+ USING (PRIMARY KEY|INDEX)/.test(line));
    assert.equal(searches.length, 4, plans.join('\n'));
    const others = plans.filter((line) => !searches.includes(line));
    for (const line of others) assert.match(line, /^(CO-ROUTINE|SCAN) (wanted|CONSTANT ROW)/, line);
  } finally {
    await close();
  }
});
