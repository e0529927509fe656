/** Connections that fall silent without an end: the route is gone, and neither side is told. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { deviceFaults, LiveDevice } from '../support/process/live-device.ts';
import { openLink } from '../support/process/live-link.ts';
import { LiveTraffic } from '../support/process/live-traffic.ts';
import { scratchFolder } from '../support/process/scratch.ts';
import { runSeed, seeded } from '../support/process/seeded.ts';
import { ServerProcess } from '../support/process/server-process.ts';
import { embeddedPlace } from '../support/process/store-place.ts';
import { listSubscribers, subscribersUntil } from '../support/process/subscribers.ts';
import { TcpProxy } from '../support/process/tcp-proxy.ts';
import { tokenFor } from '../support/process/tokens.ts';
import { ZERO_HLC } from '../support/process/wire.ts';

const SCOPE = 'silent';
/** In place of 30 s and 1 s. */
const PING_MS = 1_000;
const SWEEP_MS = 50;
/** Two pings without an answer, and half of the time between two for the second one. */
const CUT_MS = 2.5 * PING_MS;
const SLACK_MS = 10_000;
const TEST_MS = 60_000;

describe('embedded: a half-open connection', () => {
  test('[WS-9] [PR-38] two pings without an answer: cut, the place is free, and the client goes on elsewhere', {
    timeout: TEST_MS,
  }, async (t) => {
    const place = embeddedPlace(t);
    const server = await ServerProcess.start({
      store: place.settings,
      cwd: scratchFolder(t),
      hooks: { stream: { ping: PING_MS, sweep: SWEEP_MS, max_connections_per_actor: 1 } },
    });
    t.after(() => server.kill());
    const token = await tokenFor('ann', SCOPE);
    const random = seeded(runSeed());
    const target = () => server.url;
    const traffic = new LiveTraffic({
      ...{ token, client_id: 'writer', random, target, rows: 5, idle_ms: 50 },
    });
    await traffic.pushOnce();
    const proxy = await TcpProxy.start(t, { port: server.port });
    const device = new LiveDevice(ZERO_HLC);
    const link = device.connect({ url: proxy.url, token, transport: 'websocket' });
    await device.until(() => device.caughtUp);
    // Whoever answers its pings stays.
    await pause(4 * PING_MS);
    const seen = { url: server.url, token };
    assert.equal((await listSubscribers(server.url, token)).length, 1);

    proxy.freeze();
    const frozen = performance.now();
    await traffic.pushOnce();
    const second = { ...seen, transport: 'websocket', since: null, onMessage() {} } as const;
    const { status } = await openLink(second).ended;
    assert.equal(status, 429, 'the silent connection still has the one place of its actor');
    await subscribersUntil(seen, (list) => list.length === 0, CUT_MS + SLACK_MS);
    const ms = performance.now() - frozen;
    t.diagnostic(`cut ${Math.round(ms)} ms after it fell silent, pings come every ${PING_MS} ms`);
    assert.ok(ms > PING_MS, 'one ping without an answer is no reason');

    const again = device.connect({ url: server.url, token, transport: 'websocket' });
    await device.until(() => device.caughtUp);
    await traffic.pushOnce();
    const { rows: log } = await place.read();
    await device.until(() => device.place === log.at(-1)?.version);
    again.destroy();
    link.destroy();
    assert.deepEqual(deviceFaults(device, log), []);
    await server.stop();
  });
});
