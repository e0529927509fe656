import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  followTail,
  nextWait,
  SILENCE_MS,
  type TailPorts,
  type TailState,
} from '../../../src/console/follow.ts';

type Answer = (init: RequestInit) => Response | Promise<Response>;

/** Follows through these answers, one per request, and ends after the last. */
async function follow(
  answers: readonly Answer[],
  ports: Partial<TailPorts> & { readonly since?: string } = {},
) {
  const states: TailState[] = [];
  const events: string[] = [];
  const slept: number[] = [];
  const asked: Record<string, string>[] = [];
  const control = new AbortController();
  const waiting = [...answers];
  await followTail(
    { path: 'sync/events', since: ports.since, headers: { Authorization: 'Bearer t' } },
    {
      fetch: async (_path, init) => {
        asked.push(init.headers as Record<string, string>);
        const answer = waiting.shift();
        if (answer !== undefined) return answer(init);
        control.abort();
        throw new Error('aborted');
      },
      sleep: async (ms, signal) => {
        if (ms !== SILENCE_MS) slept.push(ms);
        else
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      },
      random: () => 1,
      event: ({ type }) => events.push(type),
      state: (state) => states.push(state),
      ...ports,
    },
    control.signal,
  );
  return { states, events, slept, asked };
}

const stream = (text: string) => () => new Response(text, { status: 200 });
const refuse =
  (status: number, error: string, more: { details?: object; wait?: string } = {}) =>
  () => {
    const { wait, ...details } = more;
    const body = { error, message: `text of ${error}`, retryable: status >= 429, ...details };
    return Response.json(body, {
      status,
      headers: wait === undefined ? {} : { 'retry-after': wait },
    });
  };
const CONNECTED = 'retry: 2000\n\nevent: connected\nid: v1\ndata: {}\n\n';

describe('[CO-7] reconnecting', () => {
  test('[CO-7] from the last id, after the time that the server named', async () => {
    const change = 'event: change\nid: v2\ndata: {}\n\n';
    const { asked, events, slept, states } = await follow([
      stream(CONNECTED),
      stream(`${CONNECTED}${change}event: ping\ndata: {}\n\n`),
    ]);
    assert.deepEqual(
      asked.map((headers) => headers['Last-Event-ID']),
      [undefined, 'v1', 'v2'],
    );
    assert.ok(asked.every((headers) => headers['Authorization'] === 'Bearer t'));
    assert.deepEqual(events, ['connected', 'connected', 'change', 'ping']);
    assert.deepEqual(slept, [2_000, 2_000], 'a stream that began well starts from the first wait');
    const lost = { kind: 'disconnected', text: 'The connection broke.' };
    assert.deepEqual(states.slice(0, 5), [
      { kind: 'connecting' },
      { kind: 'live' },
      { ...lost, ms: 2_000 },
      { ...lost, ms: 0 },
      { kind: 'live' },
    ]);
  });
  test('[CO-7] longer after each failure, up to 30 s, and spread', async () => {
    const broken = () => Promise.reject(new TypeError('no network'));
    const { slept } = await follow(Array.from({ length: 7 }, () => broken));
    assert.deepEqual(slept, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    assert.deepEqual([nextWait(0, 1_000, 0), nextWait(50, 1_000, 0)], [500, 15_000]);
  });
  test('[CO-7] what may pass is asked again, not before the server said so', async () => {
    const { slept, states } = await follow([
      refuse(429, 'rate_limited', { wait: '5' }),
      refuse(503, 'service_unavailable'),
      () => new Response('<html>bad gateway</html>', { status: 502 }),
    ]);
    assert.deepEqual(slept, [5_000, 2_000, 4_000]);
    const texts = states.flatMap((state) => ('ms' in state && state.ms > 0 ? [state.text] : []));
    assert.deepEqual(texts, [
      'Too many streams of this account are open. Waiting for a place.',
      'text of service_unavailable',
      'The server answered 502.',
    ]);
  });
  test('[CO-7] a place that is not kept any more is forgotten', async () => {
    const { asked } = await follow(
      [stream(`${CONNECTED}event: full_resync_required\ndata: {"reason":"history_pruned"}\n\n`)],
      { since: 'v0' },
    );
    assert.deepEqual(
      asked.map((headers) => headers['Last-Event-ID']),
      ['v0', undefined],
    );
  });
  test('[CO-7] a connection on which nothing comes is given up, and so is its request', async () => {
    let aborted = false;
    const silent: Answer = ({ signal }) => {
      signal?.addEventListener('abort', () => {
        aborted = true;
      });
      return new Response(new ReadableStream(), { status: 200 });
    };
    const { states } = await follow([silent], { sleep: async () => {} });
    assert.equal(states[1]?.kind, 'disconnected');
    assert.equal(aborted, true);
  });
});

describe('[CO-3] what ends it', () => {
  const ends: [Answer, TailState][] = [
    [
      refuse(401, 'authentication_failed', { details: { reason: 'token_expired' } }),
      { kind: 'refused', text: 'This token has expired. Enter another one.' },
    ],
    [
      refuse(401, 'authentication_failed', { details: { reason: 'token_invalid' } }),
      { kind: 'refused', text: 'This token is refused. Enter another one.' },
    ],
    [
      refuse(403, 'scope_ambiguous'),
      { kind: 'refused', text: 'This token holds several scopes. Name one of them.' },
    ],
    [
      refuse(403, 'collection_forbidden'),
      { kind: 'refused', text: 'text of collection_forbidden' },
    ],
    [refuse(426, 'upgrade_required'), { kind: 'stopped', text: 'text of upgrade_required' }],
    [
      stream(
        `${CONNECTED}event: error\ndata: {"code":"authentication_failed","message":"m","retryable":false,"details":{"reason":"token_expired"}}\n\n`,
      ),
      { kind: 'refused', text: 'This token has expired. Enter another one.' },
    ],
  ];
  for (const [answer, expected] of ends) {
    test(`[CO-3] ${expected.kind}: ${'text' in expected ? expected.text : ''}`, async () => {
      const { states, asked } = await follow([answer]);
      assert.deepEqual(states.at(-1), expected);
      assert.equal(asked.length, 1, 'nothing is asked again');
    });
  }
});
