import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from '../../src/observability/metrics.ts';
import { createStreamLog } from '../../src/observability/stream-log.ts';
import { collectLogs } from './log-collector.ts';

test('[WS-18] the gauge follows the count; an end is a debug line, a fault an error with its cause', async () => {
  const metrics = createMetrics({
    collections: ['tasks'],
    countOplog: async () => 0,
    clock: { monotonic: () => 0 },
    transactions: true,
  });
  const logs = await collectLogs('debug');
  const log = createStreamLog({ logger: logs.logger, metrics });
  log.open(3);
  assert.match((await metrics.text()).body, /^sync_websocket_connections 3$/m);
  const end = { request_id: 'r1', actor_id: 'ann', close_code: 4401, ms: 5 };
  log.closed(end);
  log.closed({ ...end, close_code: 1011, cause: new Error('boom') });
  const seen = logs.lines.map(({ level, event, close_code }) => [level, event, close_code]);
  assert.deepEqual(seen, [
    ['debug', 'stream.closed', 4401],
    ['error', 'stream.failed', 1011],
  ]);
  const fault = logs.lines[1]?.['err'] as Error | undefined;
  assert.equal(fault?.message, 'boom');
});
