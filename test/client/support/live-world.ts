/** A fake server, a client in live mode, and the time between them. */

import { type Live, type LiveOptions, startLive } from '../../../examples/live-client.mjs';
import type { ClientOptions, SyncClient } from '../../../examples/minimal-client.mjs';
import { connect } from './clients.ts';
import { LiveServer } from './live-server.ts';
import { ManualClock, settled } from './manual-clock.ts';

/** What a test holds. */
export interface LiveWorld {
  readonly server: LiveServer;
  readonly client: SyncClient;
  readonly clock: ManualClock;
  readonly live: Live;
  /** States in their order. */
  readonly states: string[];
  /** Times that the client's content may have changed. */
  readonly changes: { count: number };
}

/** What is not as usual: options of live mode and of the client, and a server that is there. */
export interface WorldOptions extends LiveOptions {
  readonly server?: LiveServer;
  readonly client?: Partial<ClientOptions>;
}

/** Starts live mode; chance is always one half unless given. */
export async function goLive(options: WorldOptions = {}): Promise<LiveWorld> {
  const { server = new LiveServer(), client: more, ...rest } = options;
  const client = connect(server, more);
  const clock = new ManualClock();
  const states: string[] = [];
  const changes = { count: 0 };
  const live = startLive(client, {
    WebSocket: server.WebSocket,
    random: () => 0.5,
    setTimeout: clock.setTimeout,
    clearTimeout: clock.clearTimeout as (timer: never) => void,
    onState: (state) => states.push(state),
    onChange() {
      changes.count += 1;
    },
    ...rest,
  });
  await settled();
  return { server, client, clock, live, states, changes };
}
