/** An application over live delivery that the test plays; what its streams say is checked. */

import assert from 'node:assert/strict';
import { assertDescribed } from './described.ts';
import { BodyReader, readEvents, type SeenEvent } from './event-reader.ts';
import { fakeApp } from './fake-app.ts';
import { FakeLive, versionOf } from './fake-live.ts';
import { HandClock } from './hand-clock.ts';

/** Who asks when a test says nothing else. */
export const TOKEN = { authorization: 'Bearer s1' };
/** Before every row. */
export const ZERO = versionOf(0);

/** An application, its clock and its live delivery. */
export function eventsWorld(options: Parameters<typeof fakeApp>[1] = {}) {
  const live = new FakeLive();
  const clock = new HandClock();
  const { app, finished } = fakeApp({}, { live, clock, ...options });
  const ask = (path: string, headers: Record<string, string> = {}, signal?: AbortSignal) =>
    app.fetch(
      new Request(`http://x${path}`, {
        headers: { ...TOKEN, ...headers },
        ...(signal && { signal }),
      }),
    );
  const open = async (query = '', headers: Record<string, string> = {}) => {
    const response = await ask(`/sync/events${query}`, headers);
    assert.equal(response.status, 200, await peek(response));
    return { response, body: new BodyReader(response), sub: live.last };
  };
  return { live, clock, finished, ask, open };
}

async function peek(response: Response): Promise<string> {
  return response.status === 200 ? '' : response.clone().text();
}

/** Events of a whole body, which must be what the description says [OA-4]. */
export function seen(response: Response, text: string): SeenEvent[] {
  const headers = Object.fromEntries(response.headers);
  assertDescribed({ method: 'GET', target: '/sync/events', status: 200, headers, text });
  return readEvents(text);
}

/** Status, code, and the first finding or the reason. */
export async function refusal(response: Response): Promise<unknown> {
  const { error, details } = (await response.json()) as {
    error: string;
    details?: { issues?: { path: string; code: string }[]; reason?: string };
  };
  const [issue] = details?.issues ?? [];
  return [response.status, error, issue?.path ?? details?.reason, issue?.code];
}

/** A hint. */
export const HINT = { bundle_seq: 1, last_version: versionOf(1), client_id: 'phone', row_count: 3 };
/** An answer to a place that is not kept. */
export const STALE = {
  full_resync_required: true as const,
  reason: 'history_pruned' as const,
  collections: ['tasks'],
  head: versionOf(9),
  epoch: 'epoch-1',
};
