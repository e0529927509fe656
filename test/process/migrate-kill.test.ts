/**
 * `migrate` beside an application that never stops and a server that takes pushes, killed five times at
 * different places: every document is adopted once, none is lost, and all clients end equal.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BSON, type Db, MongoClient } from 'mongodb';
import { canonicalJson, type Json } from '../../src/protocol/pure/canonical-json.ts';
import { decodeDocument } from '../../src/storage/mongo/bson-reader.ts';
import {
  freshFolder,
  type Place,
  run,
  SECRET,
  type Served,
  serve,
  start,
  tokenOf,
} from '../cli/support/command.ts';
import { freshDatabase } from '../support/mongodb.ts';
import {
  type ApplicationReport,
  ownDocument,
  OWN_COLLECTIONS,
  OWN_PER_COLLECTION,
  SHARED,
  sharedDocument,
  teamOf,
  TEAMS,
} from '../support/process/application-data.ts';
import { RecordedClient } from '../support/process/recorded-client.ts';
import { runSeed, type Seeded, seeded } from '../support/process/seeded.ts';
import { StampWatch } from '../support/process/stamp-watch.ts';
import { HAS_MONGODB } from '../support/process/store-place.ts';

/**
 * Capture belongs to the configuration of `migrate` alone: the server would adopt everything itself,
 * and traces are what makes deletions known.
 */
const configured = (more: string) =>
  `collections: {tasks: {scope_field: team${more}}, notes: {scope_field: team}}\nauth: {secret: ${SECRET}}\n`;

/** Where runs are killed: at the n-th event with a label, or when the database shows the first barrier. */
const KILLS: readonly { readonly label: string; readonly nth: number }[] = [
  { label: 'migrate tasks', nth: 2 },
  { label: 'migrate tasks', nth: 2 },
  { label: 'a barrier', nth: 1 },
  { label: 'compare tasks', nth: 1 },
  { label: 'migrate notes', nth: 2 },
];
/** Kill after which a device starts that saw half of the adoption. */
const MIDWAY = 1;
const DEVICE_PAUSE_MS = 60;
const WATCHED_TEAMS = TEAMS.slice(0, 3);

describe('mongo: adoption under fire', { skip: !HAS_MONGODB }, () => {
  test('[MI-3] [PR-14] migrate is killed five times beside a busy application and devices: adopted once, nothing lost', async (t) => {
    await new Adoption(t, await world(t)).run();
  });
});

interface World {
  readonly db: Db;
  readonly uri: string;
  readonly serving: Place;
  readonly adopting: Place;
}

async function world(t: TestContext): Promise<World> {
  const { uri, name, drop } = await freshDatabase();
  const client = new MongoClient(uri);
  t.after(async () => {
    await client.close();
    await drop();
  });
  const db = client.db(name);
  for (const collection of OWN_COLLECTIONS) {
    const own = Array.from({ length: OWN_PER_COLLECTION }, (_, i) => ownDocument(i));
    const shared = Array.from({ length: SHARED }, (_, i) => sharedDocument(i));
    await db.collection(collection).insertMany([...own, ...shared]);
  }
  const env = { MONGODB_URI: uri, MONGODB_DATABASE: name };
  const folder = (more: string) => freshFolder(t, { 'sync.config.yaml': configured(more) });
  return {
    ...{ db, uri },
    serving: { cwd: folder(''), env },
    adopting: { cwd: folder(', capture: adopt'), env },
  };
}

class Adoption {
  readonly #t: TestContext;
  readonly #world: World;
  readonly #random: Seeded;
  readonly #devices: RecordedClient[] = [];
  #devicesRun = true;

  constructor(t: TestContext, world: World) {
    this.#t = t;
    this.#world = world;
    this.#random = seeded(runSeed());
    t.diagnostic(`SYNC_TEST_SEED=${this.#random.seed}`);
  }

  async run(): Promise<void> {
    const { db, adopting, serving } = this.#world;
    await this.#command('init');
    const watch = await StampWatch.start(db, OWN_COLLECTIONS);
    this.#t.after(() => watch.close());
    const server = await serve(this.#t, serving);
    await this.#addDevices(server);
    const application = this.#startApplication();
    const editing = this.#edit();
    for (const [at, kill] of KILLS.entries()) {
      await this.#killedRun(kill);
      if (at === MIDWAY) await this.#addDevices(server);
    }
    await this.#command('migrate', '--batch', '60');
    await this.#addDevices(server);
    this.#devicesRun = false;
    await editing;
    const report = await stopApplication(application);
    await this.#command('migrate', '--batch', '60');
    const { stdout } = await run(this.#t, ['migrate'], adopting);
    assert.match(stdout, /tasks: 0 got a version, 0 left a row, 0 skipped/);
    await this.#command('migrate', '--verify');
    await this.#judge(watch, report);
  }

  async #command(...args: string[]): Promise<void> {
    const { code, stdout, stderr } = await run(this.#t, args, this.#world.adopting);
    assert.equal(code, 0, `${args.join(' ')}\n${stdout}\n${stderr}`);
  }

  async #killedRun({ label, nth }: (typeof KILLS)[number]): Promise<void> {
    const child = start(this.#t, ['migrate', '--batch', '60', '--json'], this.#world.adopting);
    const closed = once(child, 'close');
    const reached = label === 'a barrier' ? this.#firstBarrier(child) : nthEvent(child, label, nth);
    assert.ok(await reached, `the run ended before event ${nth} of "${label}"`);
    child.kill('SIGKILL');
    await closed;
    const { db } = this.#world;
    const [stamped, barriers] = [
      await db.collection('tasks').countDocuments({ _sync_version: { $exists: true } }),
      await db.collection('sync_oplog').countDocuments({ operation: 'reset' }),
    ];
    this.#t.diagnostic(`killed at ${label} ${nth}: ${stamped} tasks, ${barriers} barriers`);
  }

  async #firstBarrier(child: ChildProcess): Promise<boolean> {
    child.stdout?.resume();
    const log = this.#world.db.collection('sync_oplog');
    while (child.exitCode === null) {
      if ((await log.findOne({ operation: 'reset' })) !== null) return true;
    }
    return false;
  }

  #startApplication(): ChildProcess {
    const { uri, db } = this.#world;
    const entry = fileURLToPath(new URL('./busy-application.entry.js', import.meta.url));
    const seed = String(this.#random.int(0, 2 ** 31));
    const child = spawn(process.execPath, [entry, uri, db.databaseName, seed], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#t.after(() => child.kill('SIGKILL'));
    return child;
  }

  /** One more device in each of the watched teams. */
  async #addDevices({ url }: Served): Promise<void> {
    for (const scope_id of WATCHED_TEAMS) {
      const device = new RecordedClient({
        ...{ url, scope_id, client_id: `device-${this.#devices.length}`, lossy: 0 },
        collections: OWN_COLLECTIONS,
        token: await tokenOf(this.#world.serving, scope_id),
        random: seeded(this.#random.int(0, 2 ** 31)),
      });
      await device.client.sync();
      this.#devices.push(device);
    }
  }

  /** Devices edit shared documents of their team, whatever state those are in. */
  async #edit(): Promise<void> {
    for (let n = 1; this.#devicesRun; n += 1) {
      const { client, client_id, scope_id } = this.#random.pick(this.#devices);
      const own = [...Array(SHARED).keys()].filter((i) => teamOf(i) === scope_id);
      const doc_id = `shared-${this.#random.pick(own)}`;
      const collection = this.#random.pick(OWN_COLLECTIONS);
      if (this.#random.chance(0.1)) await client.remove(collection, doc_id);
      else await client.put(collection, doc_id, { team: scope_id, n, by: client_id });
      await client.sync();
      await pause(DEVICE_PAUSE_MS);
    }
  }

  async #judge(watch: StampWatch, { operations, documents }: ApplicationReport): Promise<void> {
    const { db } = this.#world;
    const stored = await storedDocuments(db);
    const own = stored.filter(({ place }) => place.includes('/own-'));
    assert.deepEqual(new Map(own.map(({ place, hex }) => [place, hex])), new Map(documents));
    const { faults, silent, scopes } = await watch.end();
    assert.deepEqual(faults.slice(0, 20), []);
    const resets = await db.collection('sync_oplog').find({ operation: 'reset' }).toArray();
    assert.deepEqual(
      resets.map(({ scope_id, collection }) => `${scope_id}/${collection}`).sort(),
      [...scopes].sort(),
    );
    for (const device of this.#devices) {
      await device.client.sync();
      assert.deepEqual(device.refused, []);
      assert.equal(device.client.pending, 0);
      const [shown, wanted] = [shownBy(device), storedIn(stored, device.scope_id)];
      const not = (these: readonly string[], those: readonly string[]) =>
        these.filter((one) => !those.includes(one)).slice(0, 5);
      assert.deepEqual(
        { more: not(shown, wanted), less: not(wanted, shown), client: device.client_id },
        { more: [], less: [], client: device.client_id },
      );
    }
    const stale = this.#devices.map(({ stale }) => stale.length).join();
    const pushed = this.#devices.reduce((sum, { answered }) => sum + answered.size, 0);
    this.#t.diagnostic(`${JSON.stringify(operations)}, ${pushed} pushes, resyncs ${stale}`);
    this.#t.diagnostic(`${silent} versions without a row, ${resets.length} barriers`);
    assert.ok(silent >= OWN_PER_COLLECTION && pushed > 0);
  }
}

/** True when the event came; false when the process ended before. */
async function nthEvent(child: ChildProcess, label: string, nth: number): Promise<boolean> {
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    if ((JSON.parse(line) as { label?: string }).label === label) seen += 1;
    if (seen === nth) return true;
  }
  return false;
}

async function stopApplication(child: ChildProcess): Promise<ApplicationReport> {
  assert.equal(child.exitCode, null, 'the application ended by itself');
  const said = once(child, 'message');
  child.send('stop');
  const [report] = (await said) as [ApplicationReport];
  return report;
}

interface Stored {
  readonly place: string;
  readonly scope_id: string;
  /** The bytes without the engine's fields. */
  readonly hex: string;
  /** The document as clients see it. */
  readonly text: string;
}

async function storedDocuments(db: Db): Promise<Stored[]> {
  const all: Stored[] = [];
  for (const collection of OWN_COLLECTIONS) {
    for await (const bytes of db.collection(collection).find({}, { raw: true })) {
      const raw = bytes as unknown as Uint8Array;
      const document = BSON.deserialize(raw, { promoteValues: false });
      const plain = Object.entries(document).filter(([key]) => !key.startsWith('_sync_'));
      const place = `${collection}/${document['_id']}`;
      all.push({
        place,
        scope_id: String(document['_sync_scope_id']),
        hex: Buffer.from(BSON.serialize(Object.fromEntries(plain))).toString('hex'),
        text: `${place} ${canonicalJson(decodeDocument(raw).data)}`,
      });
    }
  }
  return all;
}

function storedIn(stored: readonly Stored[], scope_id: string): string[] {
  const own = stored.filter((document) => document.scope_id === scope_id);
  return own.map(({ text }) => text).sort();
}

function shownBy({ client }: RecordedClient): string[] {
  return OWN_COLLECTIONS.flatMap((collection) =>
    client
      .list(collection)
      .map(({ doc_id, data }) => `${collection}/${doc_id} ${canonicalJson(data as Json)}`),
  ).sort();
}
