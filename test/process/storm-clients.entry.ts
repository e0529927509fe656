/**
 * A process full of WebSocket clients: each follows one scope from its beginning, comes back after
 * every break with a jittered backoff, and compares each row with what the others got. A client is a
 * place in the list of its scope, so that thousands fit into one process.
 */

import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { StormOrder, StormReport, StormScope } from '../support/process/storm.ts';
import { ZERO_HLC } from '../support/process/wire.ts';

/** Handshakes of this process at the same time while it opens its clients. */
const OPENING = 64;
/** Backoff before a connection is tried again, ms: a random share of what doubles with each failure. */
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 8_000;
const FAULTS_KEPT = 10;
const LOOK_EVERY_MS = 25;

interface Client {
  readonly scope: number;
  /** Rows that it has: its place in the list of the scope. */
  at: number;
  caught_up: boolean;
  failures: number;
  connections: number;
}

const clients: Client[] = [];
const failures: Record<string, number> = {};
const faults: string[] = [];
let scopes: readonly StormScope[] = [];
let logs: string[][] = [];
let wanted: readonly number[] = [];
let url = '';
let broke_at = 0;
let caught_up_ms: number[] = [];

process.on('message', (message: StormOrder & { call: number }) => {
  void carryOut(message).then(() => process.send?.({ call: message.call, report: report() }));
});
// A test that was killed leaves no clients behind.
process.once('disconnect', () => process.exit(1));

async function carryOut(order: StormOrder): Promise<void> {
  if (order.order === 'open') await openAll(order);
  if (order.order === 'reach') {
    wanted = order.rows;
    const until = performance.now() + order.limit_ms;
    while (clients.some((one) => !isComplete(one)) && performance.now() < until) {
      await pause(LOOK_EVERY_MS);
    }
  }
}

async function openAll(order: Extract<StormOrder, { order: 'open' }>): Promise<void> {
  ({ scopes, url } = order);
  logs = scopes.map(() => []);
  const left = Array.from({ length: order.clients }, (_, at) => at);
  await Promise.all(
    Array.from({ length: OPENING }, async () => {
      for (let at = left.pop(); at !== undefined; at = left.pop()) {
        const scope = at % scopes.length;
        const client = { scope, at: 0, caught_up: false, failures: 0, connections: 0 };
        clients.push(client);
        connect(client);
        while (!client.caught_up) await pause(LOOK_EVERY_MS);
      }
    }),
  );
}

function connect(client: Client): void {
  const { token } = scopes[client.scope] as StormScope;
  const ws = new WebSocket(`${url.replace('http', 'ws')}/sync/stream`, {
    headers: { Authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  });
  let failure: string | undefined;
  ws.on('open', () => {
    client.connections += 1;
    const log = logs[client.scope] as string[];
    const since = client.at === 0 ? ZERO_HLC : log[client.at - 1];
    ws.send(JSON.stringify({ type: 'subscribe', since }));
  });
  ws.on('message', (data) => take(client, JSON.parse(String(data))));
  ws.on('unexpected-response', (_request, response) => {
    failure = `status ${response.statusCode}`;
    response.resume();
    ws.terminate();
  });
  ws.on('error', (error: NodeJS.ErrnoException) => {
    failure ??= error.code ?? error.message;
  });
  ws.on('close', (code) => void comeBack(client, failure ?? `close ${code}`));
}

function take(client: Client, message: { type: string; version?: string }): void {
  const { type, version } = message;
  if (type === 'change') takeRow(client, version as string);
  else if (type === 'caught_up') {
    client.caught_up = true;
    client.failures = 0;
    caught_up_ms.push(performance.now() - broke_at);
  } else if (type !== 'subscribed' && type !== 'ping') fault(JSON.stringify(message));
}

/** The first client that gets so far says what the next row is; what it says is compared with the store. */
function takeRow(client: Client, version: string): void {
  const log = logs[client.scope] as string[];
  const next = log[client.at];
  if (next === undefined) log.push(version);
  else if (next !== version) fault(`row ${client.at} was ${version} and not ${next}`);
  client.at += 1;
}

async function comeBack(client: Client, why: string): Promise<void> {
  if (clients.every(({ caught_up }) => caught_up)) {
    broke_at = performance.now();
    caught_up_ms = [];
  }
  client.caught_up = false;
  failures[why] = (failures[why] ?? 0) + 1;
  const most = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** client.failures);
  client.failures += 1;
  await pause(Math.random() * most);
  connect(client);
}

function isComplete({ caught_up, at, scope }: Client): boolean {
  return caught_up && at === wanted[scope];
}

function fault(text: string): void {
  if (faults.length < FAULTS_KEPT) faults.push(text);
}

function report(): StormReport {
  return {
    caught_up: clients.filter(({ caught_up }) => caught_up).length,
    complete: clients.filter(isComplete).length,
    reconnects: clients.reduce((sum, { connections }) => sum + connections - 1, 0),
    caught_up_ms: caught_up_ms.map(Math.round).sort((a, b) => a - b),
    ...{ failures, faults, logs },
  };
}
