import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import {
  freshFolder,
  jsonLines,
  type Place,
  push,
  pushOf,
  run,
  SECRET,
  serve,
  start,
  tokenOf,
} from './support/command.ts';

const FILE = `collections: [tasks, notes]\nauto_init: true\nauth: {secret: ${SECRET}}\n`;

/** A running server with these documents, pushed by one actor each in their own scope. */
async function served(
  t: TestContext,
  documents: readonly (readonly [actor: string, doc_id: string, collection: string])[],
) {
  const place: Place = { cwd: freshFolder(t, { 'sync.config.yaml': FILE }) };
  const server = await serve(t, place);
  const tokens = new Map<string, string>();
  for (const [actor, doc_id, collection] of documents) {
    const token = tokens.get(actor) ?? (await tokenOf(place, actor));
    tokens.set(actor, token);
    await push(server.url, token, pushOf(doc_id, { title: doc_id }, collection));
  }
  return { place, server, tokens };
}

const DOCUMENTS = [
  ['ann', 'a1', 'tasks'],
  ['bob', 'b1', 'notes'],
  ['ann', 'a2', 'notes'],
  ['bob', 'b2', 'tasks'],
] as const;

test('[CL-9] inspect shows all scopes in version order as JSON lines, beside a running server', async (t) => {
  const { place } = await served(t, DOCUMENTS);
  const { code, stdout, stderr } = await run(t, ['inspect', '--since', '0'], place);
  const rows = jsonLines(stdout);
  assert.equal(code, 0, stderr);
  assert.deepEqual(
    rows.map(({ scope_id, doc_id, seq }) => [scope_id, doc_id, seq]),
    [
      ['ann', 'a1', 1],
      ['bob', 'b1', 1],
      ['ann', 'a2', 2],
      ['bob', 'b2', 2],
    ],
  );
  assert.ok(
    rows.every((row) => !('data' in row)),
    'documents are not shown',
  );
});

test('[CL-9] filters, a limit and documents on demand', async (t) => {
  const { place } = await served(t, DOCUMENTS);
  const ids = async (...args: string[]) =>
    jsonLines((await run(t, ['inspect', '--since', '0', ...args], place)).stdout).map(
      ({ doc_id }) => doc_id,
    );
  assert.deepEqual(await ids('--scope', 'bob'), ['b1', 'b2']);
  assert.deepEqual(await ids('--collection', 'tasks'), ['a1', 'b2']);
  assert.deepEqual(await ids('--doc', 'a2'), ['a2']);
  assert.deepEqual(await ids('--op', 'delete,remove'), []);
  assert.deepEqual(await ids('--limit', '3'), ['a1', 'b1', 'a2']);
  const [row] = jsonLines(
    (await run(t, ['inspect', '--since', '0', '--data', '--limit', '1'], place)).stdout,
  );
  assert.deepEqual(row?.data, { title: 'a1' });
});

test('[CL-9] --since takes a version, an age and a date', async (t) => {
  const { place } = await served(t, DOCUMENTS);
  const all = jsonLines((await run(t, ['inspect'], place)).stdout);
  assert.equal(all.length, 4, 'the last 15 minutes by default');
  const after = async (since: string) =>
    jsonLines((await run(t, ['inspect', '--since', since], place)).stdout).map(
      ({ doc_id }) => doc_id,
    );
  assert.deepEqual(await after(String(all[1]?.version)), ['a2', 'b2']);
  assert.deepEqual(await after('1h'), ['a1', 'b1', 'a2', 'b2']);
  assert.deepEqual(await after('2020-01-01'), ['a1', 'b1', 'a2', 'b2']);
  assert.deepEqual(await after('2999-01-01T00:00:00Z'), []);
});

test('[CL-9] --follow shows changes as they are committed, until SIGINT', async (t) => {
  const { place, server, tokens } = await served(t, DOCUMENTS.slice(0, 1));
  const child = start(t, ['inspect', '--since', '0', '--follow'], place);
  let text = '';
  child.stdout?.on('data', (part) => {
    text += part;
  });
  const lines = async (count: number) => {
    while (jsonLines(text.slice(0, text.lastIndexOf('\n') + 1)).length < count) {
      await once(child.stdout as NodeJS.ReadableStream, 'data');
    }
  };
  await lines(1);
  await push(server.url, tokens.get('ann') as string, pushOf('live'));
  await push(server.url, await tokenOf(place, 'new-scope'), pushOf('other'));
  await lines(3);
  assert.deepEqual(
    new Set(jsonLines(text).map(({ doc_id }) => doc_id)),
    new Set(['a1', 'live', 'other']),
  );
  const ended = once(child, 'close');
  child.kill('SIGINT');
  assert.deepEqual((await ended)[0], 130);
});

test('[CL-9] a reader that goes away ends inspect normally', async (t) => {
  const { place } = await served(t, DOCUMENTS);
  const child = start(t, ['inspect', '--since', '0', '--follow'], place);
  const ended = once(child, 'close');
  child.stdout?.destroy();
  child.stderr?.resume();
  assert.deepEqual((await ended)[0], 0);
});

test('[CL-9] text of a document cannot steer a terminal', async (t) => {
  const evil = '\u001b[2J\u009b1m\u202eabc';
  const { place, server, tokens } = await served(t, DOCUMENTS.slice(0, 1));
  await push(server.url, tokens.get('ann') as string, pushOf('evil', { title: evil }));
  const { stdout } = await run(t, ['inspect', '--since', '0', '--data'], place);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  assert.doesNotMatch(stdout, /[\u001b\u009b\u202e]/);
  assert.deepEqual(jsonLines(stdout)[1]?.data, { title: evil });
});
