/**
 * The seam, as a property: several nodes over one store, a feed that delays, repeats, skips and is cut,
 * readers that come, go, stall and resume on another node, a log that is pruned under them. Whatever the
 * order, every reader sees the rows of its scope that it asked for exactly once and in order.
 */

import assert from 'node:assert/strict';
import type { LiveHub } from '../../../src/core/live/hub.ts';
import type { OplogRead } from '../../../src/core/ports/records.ts';
import { StoreError } from '../../../src/core/ports/store.ts';
import { type Hlc, ZERO_HLC } from '../../../src/protocol/pure/hlc.ts';
import type { World } from './engine-world.ts';
import { commit, follow, node, Reader, settle } from './live-world.ts';
import { world } from './engine-world.ts';
import { hlc } from './records.ts';
import { runSeed, type Seeded, seeded } from '../process/seeded.ts';

/** So small that places leave the memory, pages end and reads are cut all the time. */
const SMALL = {
  ...{ memory_rows: 6, memory_bytes: 2_000, seed_rows: 4, seed_bytes: 900 },
  ...{ gap_rows: 3, gap_bytes: 500, replay_rows: 4, replay_bytes: 700, replay_reads: 2 },
};
const NODES = 3;
const SCOPES = ['red', 'blue'];

/** A device: what it has, where it is connected, and the rows that it must have seen. */
interface Device {
  readonly scope_id: string;
  readonly collections: readonly string[] | undefined;
  /** Version that it would ask to go on from: the last row that it was given. */
  since: Hlc;
  /** `seq` of the last row that it has, whatever its collection. */
  seq: number;
  seen: number[];
  /** First `seq` that it must see: after a full resync, what comes behind the head of that moment. */
  from: number;
  reader: Reader | undefined;
  counted: number;
}

/** A reader of hints that has everything up to `seq`. */
interface Watcher {
  readonly scope_id: string;
  readonly wanted: ReadonlySet<string>;
  readonly seq: number;
  readonly reader: Reader;
}

class Run {
  readonly world: World = world();
  readonly nodes: LiveHub[] = [];
  /** What the feed has not told yet, by node. */
  readonly queues: [scope_id: string, rows: readonly OplogRead[]][][] = [];
  readonly devices: Device[] = [];
  readonly watchers: Watcher[] = [];
  readonly random: Seeded;

  constructor(random: Seeded) {
    this.random = random;
    for (let i = 0; i < NODES; i += 1) {
      this.nodes.push(node(this.world, SMALL));
      this.queues.push([]);
    }
    for (let i = 0; i < 4; i += 1) {
      this.devices.push({
        scope_id: random.pick(SCOPES),
        collections: random.pick([undefined, ['tasks'], ['notes']]),
        ...{ since: ZERO_HLC, seq: 0, seen: [], from: 1, reader: undefined, counted: 0 },
      });
    }
    // Reads take a while, and some fail.
    this.world.store.before = async () => {
      const turns = random.int(0, 4);
      for (let i = 0; i < turns; i += 1) await Promise.resolve();
      if (random.chance(0.03)) throw new StoreError('unavailable', 'gone');
    };
  }

  push(): void {
    const { random } = this;
    const size = random.chance(0.1) ? random.int(2, 30) : random.int(1, 3);
    const names = Array.from({ length: size }, () =>
      random.chance(0.02) ? '!notes' : random.pick(['tasks', 'notes']),
    );
    const scope_id = random.pick(SCOPES);
    const rows = commit(this.world, names, scope_id);
    for (const queue of this.queues) {
      // A skipped piece, a whole one, or one in two parts.
      const at = random.int(0, rows.length);
      const parts = random.chance(0.5) ? [rows] : [rows.slice(0, at), rows.slice(at)];
      for (const part of parts) {
        if (part.length > 0 && !random.chance(0.15)) queue.push([scope_id, part]);
      }
    }
  }

  /** The feed of one node tells: the next, one again, or all of it; or it is cut and forgets. */
  tell(): void {
    const { random } = this;
    const at = random.int(0, NODES - 1);
    const queue = this.queues[at]!;
    const hub = this.nodes[at]!;
    if (random.chance(0.1)) {
      queue.length = 0;
      return;
    }
    for (let count = random.int(1, 5); count > 0; count -= 1) {
      const [first] = queue;
      if (first === undefined) return;
      hub.tell(...first);
      if (!random.chance(0.2)) queue.shift();
    }
  }

  connect(device: Device): void {
    this.disconnect(device);
    const reader = new Reader();
    if (this.random.chance(0.3)) reader.room = this.random.int(0, 5);
    if (this.random.chance(0.3)) reader.onChange = () => reader.subscription?.resume();
    device.reader = reader;
    device.counted = 0;
    const { scope_id, since, collections } = device;
    follow(this.random.pick(this.nodes), reader, {
      ...{ since, collections },
      context: { scope_id, identity: { actor_id: 'a', scope_ids: [scope_id] } },
    });
  }

  /** Somebody asks for hints from a place of the log. */
  watch(): void {
    const { random } = this;
    const scope_id = random.pick(SCOPES);
    const seq = random.int(0, this.world.store.heads.get(scope_id)?.head_seq ?? 0);
    const collections = random.pick([undefined, ['tasks'], ['notes']]);
    const reader = new Reader();
    if (random.chance(0.3)) reader.room = random.int(0, 2);
    this.watchers.push({
      scope_id,
      wanted: new Set(collections ?? ['tasks', 'notes']),
      seq,
      reader,
    });
    follow(random.pick(this.nodes), reader, {
      ...{ since: seq === 0 ? ZERO_HLC : hlc(seq), collections, mode: 'hints' },
      context: { scope_id, identity: { actor_id: 'a', scope_ids: [scope_id] } },
    });
  }

  disconnect(device: Device): void {
    this.count(device);
    if (device.reader !== undefined) this.leave(device.reader);
    device.reader = undefined;
  }

  leave(reader: Reader): void {
    reader.leave();
    this.left.push(reader);
  }
  readonly left: Reader[] = [];

  /** What the device's reader got since the last look becomes what the device has. */
  count(device: Device): void {
    const { reader } = device;
    if (reader === undefined) return;
    for (const { row } of reader.frames.slice(device.counted)) {
      assert.equal(JSON.parse(`${row.line}}`).data.scope_id, device.scope_id, 'of its scope');
      device.seen.push(row.seq);
      device.since = row.version;
      device.seq = row.seq;
    }
    device.counted = reader.frames.length;
    if (reader.end?.kind === 'resync') this.resync(device);
  }

  /** A full resync: the device has everything up to the head. */
  resync(device: Device): void {
    const head = this.world.store.heads.get(device.scope_id);
    if (device.reader !== undefined) this.leave(device.reader);
    device.reader = undefined;
    this.check(device, this.lastOf(device));
    device.since = head?.head_version || ZERO_HLC;
    device.seq = head?.head_seq ?? 0;
    device.from = device.seq + 1;
    device.seen = [];
  }

  lastOf(device: Device): number {
    return device.seen.at(-1) ?? device.from - 1;
  }

  /** Every row of its collections from the first that it must see up to `last`, once and in order. */
  check(device: Device, last: number): void {
    const wanted = new Set(device.collections ?? ['tasks', 'notes']);
    const rows = this.rows.get(device.scope_id) ?? [];
    const expected = rows
      .filter(({ seq, name }) => seq >= device.from && seq <= last && wanted.has(name))
      .map(({ seq }) => seq);
    assert.deepEqual(device.seen, expected);
  }

  /** Every row that was ever committed, pruned ones included; "" for barriers. */
  get rows(): Map<string, { seq: number; name: string }[]> {
    return this.all;
  }
  readonly all = new Map<string, { seq: number; name: string }[]>();

  remember(): void {
    for (const row of this.world.store.rows) {
      const known = this.all.get(row.scope_id) ?? [];
      this.all.set(row.scope_id, known);
      if (row.seq <= (known.at(-1)?.seq ?? 0)) continue;
      known.push({ seq: row.seq, name: row.operation === 'reset' ? '' : row.collection });
    }
  }

  async step(): Promise<void> {
    const { random } = this;
    const device = random.pick(this.devices);
    const dice = random.next();
    if (dice < 0.27) this.push();
    else if (dice < 0.3) this.watch();
    else if (dice < 0.6) this.tell();
    else if (dice < 0.75) this.connect(device);
    else if (dice < 0.8) this.disconnect(device);
    else if (dice < 0.9) device.reader?.take(random.int(1, 8));
    else if (dice < 0.97) void random.pick(this.nodes).look();
    else {
      this.remember();
      const scope_id = random.pick(SCOPES);
      const head = this.world.store.heads.get(scope_id)?.head_seq ?? 0;
      this.world.store.drop(scope_id, random.int(0, head));
    }
    this.remember();
    for (let turns = random.int(0, 6); turns > 0; turns -= 1) await Promise.resolve();
    this.count(device);
  }

  /** Everything works again: every device connects, takes everything, and must have all. */
  async finish(): Promise<void> {
    this.world.store.before = () => undefined;
    for (let round = 0; round < 4; round += 1) {
      for (const device of this.devices) {
        if (device.reader === undefined) this.connect(device);
        device.reader?.take();
      }
      for (const { reader } of this.watchers) reader.take();
      await settle();
      for (const hub of this.nodes) await hub.look();
      await settle();
      for (const device of this.devices) this.count(device);
    }
    this.checkAll();
  }

  checkAll(): void {
    for (const device of this.devices) {
      this.check(device, this.world.store.heads.get(device.scope_id)?.head_seq ?? 0);
      this.checkEnds(device);
      if (device.reader !== undefined) this.left.push(device.reader);
    }
    for (const watcher of this.watchers) this.checkHints(watcher);
    assert.deepEqual(
      this.left.flatMap(({ faults }) => faults),
      [],
    );
  }

  /** The newest row that the watcher may see was hinted at, no bundle twice, and none that it has. */
  checkHints({ scope_id, wanted, seq, reader }: Watcher): void {
    this.left.push(reader);
    const bundles = reader.hints.map(({ bundle_seq }) => bundle_seq);
    assert.deepEqual(
      bundles,
      [...new Set(bundles)].sort((a, b) => a - b),
    );
    const told = reader.hints.map(({ last_version }) => last_version);
    assert.ok(
      told.every((version) => version > hlc(seq)),
      `a hint of what is there at ${seq}`,
    );
    if (reader.end !== undefined) return;
    const newest = this.rows.get(scope_id)?.findLast(({ name }) => wanted.has(name))?.seq ?? 0;
    if (newest > seq) assert.ok((told.at(-1) ?? '') >= hlc(newest), `row ${newest} was hinted at`);
  }

  /** `bundle_end` stands on the last delivered row of each bundle, and nowhere else. */
  checkEnds({ reader }: Device): void {
    const frames = reader?.frames ?? [];
    frames.forEach(({ row, bundle_end }, i) => {
      const next = frames[i + 1]?.row;
      assert.equal(bundle_end, next?.bundle_seq !== row.bundle_seq, `row ${row.seq}`);
    });
  }
}

/** So many runs; a failure names the seed of its run. */
export async function runSeams(runs: number): Promise<void> {
  const first = runSeed();
  for (let i = 0; i < runs; i += 1) {
    const seed = (first + i) >>> 0;
    const run = new Run(seeded(seed));
    try {
      for (let steps = run.random.int(5, 40); steps > 0; steps -= 1) await run.step();
      await run.finish();
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
}
