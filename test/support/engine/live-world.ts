/** Live delivery over the store in memory: hubs as nodes, a feed in the test's hands, and recording sinks. */

import type { RequestContext } from '../../../src/core/context.ts';
import { LiveHub } from '../../../src/core/live/hub.ts';
import { LIVE_LIMITS, type LiveLimits } from '../../../src/core/live/live-limits.ts';
import type {
  BundleHint,
  ChangeFrame,
  LiveEnd,
  LiveRequest,
  LiveSink,
  LiveSubscription,
} from '../../../src/core/ports/live.ts';
import type { OplogRead, OplogRow } from '../../../src/core/ports/records.ts';
import type { PullChange } from '../../../src/protocol/pull.ts';
import type { Hlc } from '../../../src/protocol/pure/hlc.ts';
import { request, type World, world } from './engine-world.ts';
import { ACTOR, CLIENT, hlc, readOf, SCOPE } from './records.ts';
import { NOON } from './fake-system.ts';

/** A reader that writes down what it gets. `room` = frames that it takes before it is full. */
export class Reader implements LiveSink {
  /** What arrived, in order, as words. */
  readonly log: string[] = [];
  readonly rows: PullChange[] = [];
  readonly hints: BundleHint[] = [];
  readonly frames: ChangeFrame[] = [];
  room = Number.POSITIVE_INFINITY;
  buffered_bytes = 0;
  end: LiveEnd | undefined;
  /** What the hub must never do: write to a reader that is full or gone. */
  readonly faults: string[] = [];
  /** Called inside each `change`, as a socket that drains at once would. */
  onChange: () => void = () => undefined;
  subscription: LiveSubscription | undefined;
  gone = false;

  get ready(): boolean {
    return this.room > 0;
  }

  subscribed(since: Hlc, head: Hlc): void {
    this.log.push(`subscribed ${since} ${head}`);
  }

  change(frame: ChangeFrame): void {
    if (!this.ready) this.faults.push(`${frame.row.seq} to a full reader`);
    if (this.end !== undefined || this.gone) this.faults.push(`${frame.row.seq} after the end`);
    this.room -= 1;
    const { type, ...row } = JSON.parse(frame.json) as PullChange & { type: string };
    this.log.push(`${type} ${row.doc_id}${row.bundle_end ? '.' : ''}`);
    this.rows.push(row);
    this.frames.push(frame);
    this.onChange();
  }

  hint(bundle: BundleHint): void {
    if (!this.ready) this.faults.push(`bundle ${bundle.bundle_seq} to a full reader`);
    if (this.end !== undefined || this.gone) this.faults.push(`${bundle.bundle_seq} after the end`);
    this.room -= 1;
    this.log.push(`bundle ${bundle.bundle_seq}`);
    this.hints.push(bundle);
  }

  caughtUp(last_seq: Hlc): void {
    this.log.push(`caught_up ${last_seq}`);
  }

  ended(end: LiveEnd): void {
    this.end = end;
    this.log.push(`ended ${end.kind}`);
  }

  /** Goes away without a word. */
  leave(): void {
    this.gone = true;
    this.subscription?.close();
  }

  /** Takes everything, and so many more frames. */
  take(room = Number.POSITIVE_INFINITY): void {
    this.room = room;
    this.buffered_bytes = 0;
    this.subscription?.resume();
  }
}

/** A node: a hub over the world's store. */
export function node(over: World, limits: Partial<LiveLimits> = {}): LiveHub {
  return new LiveHub(over.core, { ...LIVE_LIMITS, ...limits });
}

/** A world without anything in it, and one node. */
export function liveWorld(limits: Partial<LiveLimits> = {}): World & { hub: LiveHub } {
  const made = world();
  return { ...made, hub: node(made, limits) };
}

/** Subscribes a reader. */
export function follow(
  hub: LiveHub,
  reader: Reader,
  fields: Partial<LiveRequest> & { context?: Partial<RequestContext> } = {},
): LiveSubscription {
  const { context, ...wanted } = fields;
  reader.subscription = hub.subscribe(
    request(context),
    {
      since: null,
      collections: undefined,
      mode: 'rows',
      transport: 'websocket',
      client_id: null,
      ...wanted,
    },
    reader,
  );
  return reader.subscription;
}

/** Commits one bundle of a scope to the store, without telling anybody. "!name" is a reset row. */
export function commit(
  { store }: World,
  collections: readonly string[],
  scope_id = SCOPE,
): readonly OplogRead[] {
  const head = store.heads.get(scope_id);
  const seq = head?.head_seq ?? 0;
  const bundle_seq = (head?.head_bundle_seq ?? 0) + 1;
  const rows = collections.map((name, ordinal): OplogRow => {
    const at = seq + ordinal + 1;
    const reset = name.startsWith('!');
    return {
      version: hlc(at),
      scope_id,
      seq: at,
      prev: at === 1 ? '' : hlc(at - 1),
      ...{ bundle_seq, ordinal, bundle_rows: collections.length },
      collection: name.replace('!', ''),
      doc_id: reset ? null : `d${at}`,
      operation: reset ? 'reset' : 'upsert',
      data: reset ? null : { n: at, scope_id },
      typed: null,
      ...{ actor_id: ACTOR, client_id: CLIENT, mutation_id: null },
      change_version: hlc(at),
      parent_version: null,
      origin: 'push',
      timestamp_ms: NOON + at,
    };
  });
  const last = rows.at(-1) as OplogRow;
  store.rows.push(...rows);
  store.heads.set(scope_id, {
    ...{ scope_id, head_version: last.version, head_seq: last.seq, head_bundle_seq: bundle_seq },
    ...{ hlc_p: last.timestamp_ms, hlc_c: 0, chain_start: '' },
  });
  return rows.map(readOf);
}

/** Waits until nothing is going on any more. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
