/** Live mode of the reference client against the real engine over HTTP, on both stores. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { type Live, startLive } from '../../examples/live-client.mjs';
import type { SyncClient } from '../../examples/minimal-client.mjs';
import { STORE_KINDS } from '../http/support/stores.ts';
import { view } from './support/clients.ts';
import { type RealServer, startRealServer } from './support/real-server.ts';

const LIMIT_MS = 20_000;
const TRANSPORTS = ['websocket', 'events', 'poll'] as const;
const IDS = TRANSPORTS.flatMap((name) => [`${name}-a`, `${name}-b`]);

/** A client whose changes and states can be waited for. */
class Watched {
  readonly client: SyncClient;
  readonly live: Live;
  #look = (): void => {};

  constructor(server: RealServer, transport: (typeof TRANSPORTS)[number]) {
    this.client = server.connect();
    const look = (): void => this.#look();
    this.live = startLive(this.client, {
      transports: [transport],
      WebSocket: WebSocket as never,
      pollMs: 100,
      random: () => 0.1, // short waits
      onChange: look,
      onState: look,
    });
  }

  /** Resolves as soon as this is so. */
  async until(what: () => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const text = `not within ${LIMIT_MS} ms: ${what}`;
      const timer = setTimeout(() => reject(new Error(text)), LIMIT_MS);
      this.#look = () => {
        if (!what()) return;
        clearTimeout(timer);
        this.#look = () => {};
        resolve();
      };
      this.#look();
    });
  }

  shows(id: string, n: number): Promise<void> {
    return this.until(() => this.client.get('tasks', id)?.['n'] === n);
  }
}

for (const kind of STORE_KINDS) {
  describe(`${kind.name}: live mode`, () => {
    let server: RealServer;
    before(async () => {
      server = await startRealServer(kind);
    });
    after(() => server.close());

    for (const transport of TRANSPORTS) {
      const current = transport === 'poll' ? 'polling' : 'live';
      test(`[RC-29] ${kind.name}: two live clients over ${transport} see each other's edits, before and after a restart of the server`, async () => {
        const [ann, bob] = [new Watched(server, transport), new Watched(server, transport)];
        for (const one of [ann, bob]) await one.until(() => one.live.state === current);
        await ann.client.put('tasks', `${transport}-a`, { n: 1 });
        await bob.shows(`${transport}-a`, 1);
        await bob.client.put('tasks', `${transport}-a`, { n: 2 });
        await ann.shows(`${transport}-a`, 2);
        await server.restart();
        await ann.client.put('tasks', `${transport}-b`, { n: 3 });
        for (const one of [ann, bob]) await one.until(() => one.live.state === current);
        await bob.shows(`${transport}-b`, 3);
        await bob.client.remove('tasks', `${transport}-a`);
        await ann.until(() => ann.client.get('tasks', `${transport}-a`) === undefined);
        for (const one of [ann, bob]) {
          await one.until(() => one.client.pending === 0);
          one.live.stop();
          assert.deepEqual(view(one.client), await server.stored('tasks', IDS));
          assert.equal(one.client.get('tasks', `${transport}-b`)?.['n'], 3);
        }
      });
    }
  });
}
