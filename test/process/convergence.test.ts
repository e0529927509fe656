/** Five clients, two scopes, two thousand edits, a pruned log and a restored backup: all end equal. */

import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { canonicalJson, type Json } from '../../src/protocol/pure/canonical-json.ts';
import { faultsOf } from '../support/process/history-oracle.ts';
import { HistoryKeeper, pageFaults } from '../support/process/history-keeper.ts';
import {
  type AnsweredEdit,
  LostAnswer,
  RecordedClient,
} from '../support/process/recorded-client.ts';
import { scratchFolder } from '../support/process/scratch.ts';
import { runSeed, type Seeded, seeded } from '../support/process/seeded.ts';
import { COLLECTIONS, ServerProcess } from '../support/process/server-process.ts';
import type { StoredState } from '../support/process/stored-state.ts';
import {
  embeddedPlace,
  HAS_MONGODB,
  PrivateMongo,
  type RestorablePlace,
} from '../support/process/store-place.ts';
import { tokenFor } from '../support/process/tokens.ts';

const SCOPES = ['red', 'red', 'red', 'blue', 'blue'] as const;
const ROUNDS = 40;
/** 40 rounds × 5 clients × 10 edits = 2,000. */
const EDITS_PER_ROUND = 10;
const DOCUMENTS = 30;
const LOSSY = 0.05;
const BACKUP_AT = 16;
const RESTORE_AT = 24;
/** The second pruning takes every row, the others about a quarter to all of them. */
const PRUNE_AT = [8, 20, 32];
const PRUNE_ALL_AT = 20;
/** The fifth client is away while its scope goes on and the log is pruned, so it must resync. */
const AWAY = { client: 4, from: 17, until: 23 };
/** Client by round that syncs for sure, without a lost answer. */
const MUST_SYNC = new Map([
  [18, 3],
  [AWAY.until, AWAY.client],
]);

describe('embedded: convergence', () => {
  test('[FU-3] [PR-8] five clients end equal to the store through pruning and a restore (invariants 1, 2, 3, 4, 5, 6, 7, 13, 15, 16)', async (t) => {
    await new Convergence(t, embeddedPlace(t)).run();
  });
});

describe('mongo: convergence', { skip: !HAS_MONGODB }, () => {
  test('[FU-3] [PR-9] five clients end equal to the store through pruning and a restore (invariants 1, 2, 3, 4, 5, 6, 7, 13, 15, 16)', async (t) => {
    const mongo = await PrivateMongo.start(t);
    await new Convergence(t, await mongo.place(t)).run();
  });
});

class Convergence {
  readonly #t: TestContext;
  readonly #place: RestorablePlace;
  readonly #cwd: string;
  readonly #random: Seeded;
  readonly #history = new HistoryKeeper();
  readonly #clients: RecordedClient[] = [];
  #server: ServerProcess | undefined;
  #port = 0;
  #edits = 0;

  constructor(t: TestContext, place: RestorablePlace) {
    this.#t = t;
    this.#place = place;
    this.#cwd = scratchFolder(t);
    this.#random = seeded(runSeed());
    t.diagnostic(`SYNC_TEST_SEED=${this.#random.seed}`);
    t.after(() => this.#server?.kill());
  }

  async run(): Promise<void> {
    await this.#serve();
    await this.#makeClients();
    for (let round = 0; round < ROUNDS; round += 1) {
      if (PRUNE_AT.includes(round)) await this.#prune(round === PRUNE_ALL_AT);
      if (round === BACKUP_AT) await this.#backup();
      if (round === RESTORE_AT) await this.#restore();
      await Promise.all(this.#clients.map((client, at) => this.#takeTurn(client, { at, round })));
    }
    await this.#settle();
    await this.#judge();
  }

  async #serve(): Promise<void> {
    const { settings: store } = this.#place;
    const options = { store, cwd: this.#cwd, port: this.#port, hooks: {} };
    this.#server = await ServerProcess.start(options);
    this.#port = this.#server.port;
  }

  async #makeClients(): Promise<void> {
    for (const [at, scope_id] of SCOPES.entries()) {
      const client = new RecordedClient({
        ...{ scope_id, client_id: `client-${at}`, collections: COLLECTIONS, lossy: LOSSY },
        url: this.#running.url,
        token: await tokenFor(`actor-${at}`, scope_id),
        random: seeded(this.#random.int(0, 2 ** 31)),
      });
      this.#clients.push(client);
    }
  }

  get #running(): ServerProcess {
    return this.#server as ServerProcess;
  }

  async #takeTurn(
    recorded: RecordedClient,
    { at, round }: { at: number; round: number },
  ): Promise<void> {
    for (let i = 0; i < EDITS_PER_ROUND; i += 1) await this.#edit(recorded);
    if (MUST_SYNC.get(round) === at) {
      recorded.lossy = 0;
      await recorded.client.sync();
      recorded.lossy = LOSSY;
      return;
    }
    const away = at === AWAY.client && round >= AWAY.from && round < AWAY.until;
    if (!away && this.#random.chance(0.6)) await this.#goOnline(recorded);
  }

  async #goOnline({ client }: RecordedClient): Promise<void> {
    const work = this.#random.pick(['sync', 'sync', 'push', 'pull'] as const);
    await client[work]().catch((error: unknown) => {
      if (!(error instanceof LostAnswer)) throw error;
    });
  }

  async #edit({ client, client_id, scope_id }: RecordedClient): Promise<void> {
    const collection = this.#random.pick(COLLECTIONS);
    const doc_id = `${scope_id}-${this.#random.int(1, DOCUMENTS)}`;
    this.#edits += 1;
    if (client.get(collection, doc_id) !== undefined && this.#random.chance(0.15)) {
      await client.remove(collection, doc_id);
    } else {
      await client.put(collection, doc_id, { n: this.#edits, by: client_id });
    }
  }

  /** Up to a random row of the newer half, or all; the server goes on. */
  async #prune(all: boolean): Promise<void> {
    const state = await this.#place.read();
    this.#history.beforePrune(state);
    for (const { scope_id, head_seq } of state.heads) {
      const seq = all ? head_seq : this.#random.int(Math.ceil(head_seq / 2), head_seq);
      await this.#place.prune(this.#running, { scope_id, seq });
    }
  }

  async #backup(): Promise<void> {
    await this.#running.stop();
    await this.#place.backup();
    this.#history.backedUp(await this.#place.read());
    await this.#serve();
    for (const client of this.#clients) client.at_risk = true;
  }

  /** One client has seen its edits come back before, one only their answers. */
  async #restore(): Promise<void> {
    const [seen, answered] = this.#clients as [RecordedClient, RecordedClient];
    for (const client of [seen, answered]) {
      client.lossy = 0;
      await this.#edit(client);
    }
    await seen.client.sync();
    await answered.client.push();
    assert.ok(answered.client.pending > 0, 'no answered edit waits for its row');
    this.#checkPages(await this.#place.read());
    await this.#running.stop();
    await this.#place.restore();
    this.#history.restored();
    await this.#serve();
    for (const client of this.#clients) {
      client.at_risk = false;
      client.lossy = LOSSY;
      client.delivered = [];
    }
  }

  /** Everybody is back: each client ends with an empty outbox at the head. */
  async #settle(): Promise<void> {
    for (const { client } of this.#clients) {
      await client.sync().catch(() => {});
    }
    for (const recorded of this.#clients) {
      recorded.lossy = 0;
      await recorded.client.sync();
    }
    for (const { client } of this.#clients) {
      await client.sync();
      assert.equal(client.pending, 0);
    }
  }

  async #judge(): Promise<void> {
    const state = await this.#place.read();
    const whole = this.#history.whole(state);
    assert.deepEqual(faultsOf(whole), []);
    assert.deepEqual(
      ['red', 'blue'].map((scope) => whole.rows.find(({ scope_id }) => scope_id === scope)?.seq),
      [1, 1],
    );
    this.#checkPages(state);
    for (const recorded of this.#clients) {
      assert.deepEqual(recorded.refused, []);
      assert.equal(contentOf(recorded), storedContent(state, recorded.scope_id));
    }
    this.#checkAcknowledged(whole);
    const reasons = this.#clients.flatMap(({ stale }) => stale);
    this.#t.diagnostic(`${this.#edits} edits, ${whole.rows.length} rows; stale: ${reasons.join()}`);
    assert.equal(this.#edits, ROUNDS * SCOPES.length * EDITS_PER_ROUND + 2);
    assert.ok(reasons.includes('history_pruned'), 'nobody met a pruned log');
    const afterRestore = reasons.some((one) => one === 'cursor_ahead' || one === 'chain_broken');
    assert.ok(afterRestore, 'nobody noticed the restore');
  }

  #checkPages(state: StoredState): void {
    const { rows } = this.#history.whole(state);
    for (const { scope_id, delivered } of this.#clients) {
      const own = rows.filter((row) => row.scope_id === scope_id);
      assert.deepEqual(pageFaults(own, delivered), []);
    }
  }

  /** Only what was answered after the backup and seen before the restore may be gone. */
  #checkAcknowledged(whole: StoredState): void {
    const kept = new Set([...whole.rows.map(({ mutation_id }) => mutation_id), ...whole.conflicts]);
    const answers = this.#clients.flatMap((recorded) =>
      [...recorded.answered.values()].map((answer) => ({ ...answer, recorded })),
    );
    assert.equal(answers.length, this.#edits, 'an edit was never answered');
    // A delete of a deleted document leaves nothing that could be lost.
    const effects = answers.filter(({ resolution }) => resolution !== 'noop');
    const lost = effects.filter(({ mutation_id }) => !kept.has(mutation_id));
    const expected = effects.filter((answer) => this.#mayBeGone(answer));
    assert.deepEqual(
      lost.map(({ mutation_id }) => mutation_id),
      expected.map(({ mutation_id }) => mutation_id),
      'other acknowledged edits are gone than the restore explains',
    );
    const rows = lost.filter(({ version }) => version !== null).length;
    this.#t.diagnostic(`the restore took ${rows} edits that their authors had seen come back`);
    this.#t.diagnostic(`the restore took ${lost.length - rows} kept copies of edits that had lost`);
    assert.ok(rows > 0, 'no edit was at risk');
  }

  #mayBeGone({ mutation_id, version, at_risk, recorded }: AtRisk): boolean {
    if (!at_risk) return false;
    // A repeat of a push from before the backup is answered after it, and is in it.
    if (version === null) return !this.#history.conflictInBackup(mutation_id);
    return (
      version > this.#history.headAtBackup(recorded.scope_id) && recorded.seen.has(mutation_id)
    );
  }
}

type AtRisk = AnsweredEdit & { readonly recorded: RecordedClient };

/** What a client shows, as canonical text. */
function contentOf({ client }: RecordedClient): string {
  return sortedText(
    COLLECTIONS.flatMap((collection) =>
      client.list(collection).map(({ doc_id, data }) => ({ collection, doc_id, data })),
    ),
  );
}

function storedContent(state: StoredState, scope_id: string): string {
  const own = state.documents.filter((document) => document.scope_id === scope_id);
  return sortedText(own.map(({ collection, doc_id, data }) => ({ collection, doc_id, data })));
}

function sortedText(documents: readonly object[]): string {
  return documents
    .map((document) => canonicalJson(document as Json))
    .sort()
    .join('\n');
}
