import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from '../../src/observability/logger.ts';
import { describeError, type LogFields, scrub } from '../../src/observability/redact.ts';
import { rawToken } from '../auth/raw-token.ts';
import { collectLogs } from './log-collector.ts';

test('[OB-1] a line has its event, its message and listed fields; nothing else is written', async () => {
  const logs = await collectLogs();
  const fields = { rows: 3, data: { card: '4111' }, token: 'x', password: 'y' } as LogFields;
  logs.logger.info('push.committed', 'push answered', fields);
  const [line] = logs.lines;
  assert.deepEqual(Object.keys(line ?? {}), ['level', 'time', 'event', 'rows', 'msg']);
  assert.deepEqual(
    [line?.['level'], line?.['event'], line?.['rows'], line?.['msg']],
    ['info', 'push.committed', 3, 'push answered'],
  );
  assert.match(String(line?.['time']), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
});

test('[OB-1] an object in a listed field is left out, because it could be a document', async () => {
  const logs = await collectLogs();
  logs.logger.warn('x', 'y', { doc_id: { secret: 1 }, collections: ['a', { b: 1 }, 2] });
  assert.equal(logs.lines[0]?.['doc_id'], undefined);
  assert.deepEqual(logs.lines[0]?.['collections'], ['a', null, 2]);
});

test('[OB-1] lines under the level are not written', async () => {
  const logs = await collectLogs('warn');
  logs.logger.info('a', 'b');
  logs.logger.debug('a', 'b');
  logs.logger.error('c', 'd');
  assert.deepEqual(
    logs.lines.map((line) => line['event']),
    ['c'],
  );
  assert.deepEqual([logs.logger.isEnabled('info'), logs.logger.isEnabled('error')], [false, true]);
});

test('[OB-2] passwords in addresses and tokens are scrubbed from every text', async () => {
  const token = rawToken({ payload: { sub: 'ann' } });
  const uri = 'mongodb+srv://root:hunter2@db.example.org/app';
  const cause = new Error(`bad token ${token}`);
  const error = new Error(`cannot reach ${uri}`, { cause });
  const logs = await collectLogs();
  logs.logger.error('store.failed', 'failed', { err: error, url: uri, reason: `Bearer ${token}` });
  assert.ok(!logs.text().includes('hunter2') && !logs.text().includes(token.slice(0, 30)));
  assert.equal(logs.lines[0]?.['url'], 'mongodb+srv://***@db.example.org/app');
  assert.equal(scrub(`a ${token} b`), 'a [token] b');
  assert.equal(scrub('mongodb://u:p@ss/w@db:1/app'), 'mongodb://***@db:1/app');
  assert.equal(scrub('http://example.org/a@b'), 'http://example.org/a@b');
});

test('[OB-2] an error keeps its type, code, stack and causes, and no other property', () => {
  const error = Object.assign(new TypeError('no', { cause: new Error('why') }), {
    code: 'E1',
    document: { secret: 1 },
  });
  const described = describeError(error);
  assert.deepEqual(Object.keys(described), ['type', 'message', 'code', 'stack', 'cause']);
  assert.equal((described['cause'] as { message: string }).message, 'why');
  assert.deepEqual(describeError('a thrown text'), { type: 'string' });
});

test('[OB-2] a ring of causes ends', () => {
  const error: Error & { cause?: unknown } = new Error('ring');
  error.cause = error;
  assert.doesNotThrow(() => JSON.stringify(describeError(error)));
});

test('[OB-2] control characters cannot forge a line', async () => {
  const logs = await collectLogs();
  logs.logger.info('a', 'b', { client_id: 'x\n{"level":"error"}\r\n\u001b[31m' });
  assert.equal(logs.text().trimEnd().split('\n').length, 1);
});

test('[OB-6] the pretty form says event, message and fields on one line', async () => {
  const lines: string[] = [];
  const logger = await createLogger({
    level: 'info',
    format: 'pretty',
    destination: { write: (line) => lines.push(line) },
  });
  logger.info('server.listening', 'server is listening', { port: 8080, client_id: 'a\u001b[31mb' });
  assert.equal(lines.length, 1);
  assert.match(
    lines[0] ?? '',
    /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: server\.listening: server is listening .*"port":8080.*\n$/,
  );
  assert.ok(!lines[0]?.includes('\u001b'));
});
