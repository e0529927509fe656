/** `import` as a user runs it: formats, repeats, kills, refused lines, dry runs, wrong use. */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { freshDatabase } from '../support/mongodb.ts';
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

const FILE = `
collections:
  tasks: {}
  objects: {id_type: objectid}
  fixed: {scope: shared}
auth: {secret: ${SECRET}}
auto_init: true
`;

function placeWith(t: TestContext, files: Readonly<Record<string, string>> = {}): Place {
  return { cwd: freshFolder(t, { 'sync.config.yaml': FILE, ...files }) };
}

const lines = (documents: readonly unknown[]) =>
  documents.map((one) => `${JSON.stringify(one)}\n`).join('');

const numbered = (count: number) => Array.from({ length: count }, (_, n) => ({ _id: `d${n}`, n }));

const COUNTS = { read: 0, imported: 0, replaced: 0, unchanged: 0, repeated: 0, rejected: 0 };

/** Runs an import into `tasks` of scope `team`; its last event beside how it ended. */
async function importTasks(t: TestContext, place: Place, args: readonly string[]) {
  const all = ['import', 'tasks', ...args, '--scope', 'team', '--json'];
  const ended = await run(t, all, place);
  const { rejects_file, event, ...counts } = jsonLines(ended.stdout).at(-1) ?? {};
  const { collection, scope_id, dry_run, ...only } = counts;
  return { ...ended, event, rejects_file, counts: only };
}

interface Row {
  readonly doc_id: string;
  readonly collection: string;
  readonly scope_id: string;
  readonly operation: string;
  readonly origin: string;
  readonly actor_id: string;
  readonly client_id: string;
  readonly data: unknown;
}

async function rowsOf(t: TestContext, place: Place): Promise<Row[]> {
  const { stdout } = await run(t, ['inspect', '--since', '0', '--json', '--data'], place);
  return jsonLines(stdout) as unknown as Row[];
}

for (const [name, text, more] of [
  ['tasks.ndjson', '{"_id":"a","n":1}\n{"_id":"b","n":2}\n', []],
  ['tasks.jsonl', '{"_id":"a","n":1}\n{"_id":"b","n":2}', []],
  ['tasks.json', '[\n  {"_id": "a", "n": 1},\n  {"_id": "b", "n": 2}\n]\n', []],
  ['tasks.csv', '_id,n\r\na,1\r\nb,2\r\n', ['--csv-types', 'n:number']],
  ['tasks.txt', '_id,n\na,1\n"b",2\n', ['--csv-types', 'infer', '--format', 'csv']],
] as const) {
  test(`[IM-3] ${name} enters as rows of the application`, async (t) => {
    const place = placeWith(t, { [name]: text });
    const { code, counts, stderr, event } = await importTasks(t, place, [name, ...more]);
    assert.equal(code, 0, stderr);
    assert.equal(event, 'done');
    assert.deepEqual(counts, { ...COUNTS, read: 2, imported: 2 });
    const rows = await rowsOf(t, place);
    assert.deepEqual(
      rows.map(({ doc_id, data }) => [doc_id, data]),
      [
        ['a', { n: 1 }],
        ['b', { n: 2 }],
      ],
    );
    const [first] = rows;
    assert.deepEqual(
      [first?.collection, first?.scope_id, first?.operation, first?.origin],
      ['tasks', 'team', 'upsert', 'server'],
    );
    assert.deepEqual([first?.actor_id, first?.client_id], ['import', 'import']);
  });
}

test('[IM-4] a repeat adds nothing, a corrected line replaces, and what it replaces of a device is kept', async (t) => {
  const place = placeWith(t, { 'tasks.ndjson': lines(numbered(3)) });
  await importTasks(t, place, ['tasks.ndjson']);
  const again = await importTasks(t, place, ['tasks.ndjson', '--batch', '1']);
  assert.deepEqual(again.counts, { ...COUNTS, read: 3, repeated: 3 });

  const server = await serve(t, place);
  await push(server.url, await tokenOf(place, 'team'), pushOf('d9', { by: 'device' }));
  server.signal('SIGTERM');
  await server.ended;
  const corrected = [
    { _id: 'd0', n: 0 },
    { _id: 'd1', n: 'one' },
    { _id: 'd9', n: 9 },
  ];
  writeFileSync(join(place.cwd, 'tasks.ndjson'), lines(corrected));
  const third = await importTasks(t, place, ['tasks.ndjson']);
  assert.deepEqual(third.counts, { ...COUNTS, read: 3, repeated: 1, imported: 1, replaced: 1 });
  const rows = await rowsOf(t, place);
  assert.deepEqual(
    rows.map(({ doc_id }) => doc_id),
    ['d0', 'd1', 'd2', 'd9', 'd1', 'd9'],
  );
  writeFileSync(join(place.cwd, 'other.ndjson'), lines(corrected));
  const other = await importTasks(t, place, ['other.ndjson']);
  assert.deepEqual(other.counts, { ...COUNTS, read: 3, unchanged: 3 });
});

test('[IM-4] one id on several lines ends as its last line says', async (t) => {
  const text = lines([
    { _id: 'a', n: 1 },
    { _id: 'a', n: 2 },
    { _id: 'a', n: 1 },
  ]);
  const place = placeWith(t, { 'tasks.ndjson': text });
  const first = await importTasks(t, place, ['tasks.ndjson']);
  assert.deepEqual(first.counts, { ...COUNTS, read: 3, imported: 3 });
  const again = await importTasks(t, place, ['tasks.ndjson', '--batch', '1']);
  assert.deepEqual(again.counts, { ...COUNTS, read: 3, repeated: 3 });
  const rows = await rowsOf(t, place);
  assert.deepEqual(
    rows.map(({ data }) => data),
    [{ n: 1 }, { n: 2 }, { n: 1 }],
  );
});

/** Starts an import and kills it after so many progress events; false when it ended by itself. */
async function killedAfter(t: TestContext, place: Place, events: number): Promise<boolean> {
  const args = ['import', 'tasks', 'tasks.ndjson', '--scope', 'team', '--json', '--batch', '20'];
  const child: ChildProcess = start(t, args, place);
  const ended = once(child, 'close');
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    if (!line.includes('"progress"')) continue;
    seen += 1;
    if (seen === events) child.kill('SIGKILL');
  }
  const [code] = (await ended) as [number | null];
  return code === null;
}

async function assertEachOnce(t: TestContext, place: Place, count: number): Promise<void> {
  const rows = await rowsOf(t, place);
  assert.deepEqual(
    rows.map(({ doc_id, data }) => [doc_id, data]),
    numbered(count).map(({ _id, n }) => [_id, { n }]),
  );
}

test('[IM-4] killed with -9 again and again, the last run leaves every line exactly once, in order', async (t) => {
  const place = placeWith(t, { 'tasks.ndjson': lines(numbered(1_000)) });
  for (const events of [1, 7, 15, 30, 45]) {
    assert.equal(await killedAfter(t, place, events), true, `it ended before event ${events}`);
  }
  const { code, counts } = await importTasks(t, place, ['tasks.ndjson']);
  assert.equal(code, 0);
  assert.equal(counts['read'], 1_000);
  assert.ok(Number(counts['repeated']) >= 45 * 20, JSON.stringify(counts));
  assert.equal(Number(counts['repeated']) + Number(counts['imported']), 1_000);
  await assertEachOnce(t, place, 1_000);
});

test('[IM-4] SIGINT ends after the running batch with 130, and the same command goes on', async (t) => {
  const place = placeWith(t, { 'tasks.ndjson': lines(numbered(2_000)) });
  const args = ['import', 'tasks', 'tasks.ndjson', '--scope', 'team', '--json', '--batch', '5'];
  const child = start(t, args, place);
  const ended = once(child, 'close');
  let last = '';
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    if (last === '') child.kill('SIGINT');
    last = line;
  }
  const [code] = (await ended) as [number | null];
  assert.equal(code, 130);
  const stopped = JSON.parse(last) as { event: string; read: number };
  assert.equal(stopped.event, 'stopped');
  assert.ok(stopped.read < 2_000 && stopped.read % 5 === 0, last);
  await importTasks(t, place, ['tasks.ndjson']);
  await assertEachOnce(t, place, 2_000);
});

test('[IM-5] refused lines are named, kept with their text, and end with exit 4 unless allowed', async (t) => {
  const reserved = '{"_id":"b","_sync_version":1}';
  const text = `{"_id":"a"}\n{"_id":\n${reserved}\n{"_id":"c","f":{"$regex":"x"}}\n{"_id":"d"}\n`;
  const place = placeWith(t, { 'tasks.ndjson': text });
  const { code, counts, stderr, rejects_file } = await importTasks(t, place, ['tasks.ndjson']);
  assert.equal(code, 4, stderr);
  assert.deepEqual(counts, { ...COUNTS, read: 5, imported: 2, rejected: 3 });
  const file = join(place.cwd, 'tasks.ndjson.rejects.ndjson');
  assert.equal(rejects_file, file);
  const kept = jsonLines(readFileSync(file, 'utf8'));
  assert.deepEqual(
    kept.map(({ line, code: why, text: raw }) => [line, why, raw]),
    [
      [2, 'invalid_json', '{"_id":'],
      [3, 'reserved_field', reserved],
      [4, 'invalid_key', '{"_id":"c","f":{"$regex":"x"}}'],
    ],
  );
  assert.match(String(kept[1]?.['message']), /^\/data\/_sync_version leave it out$/);
  assert.match(stderr, /warning: line 2: .*\(invalid_json\)/);
  assert.match(stderr, /error: 3 of 5 records were refused/);
  const allowed = await importTasks(t, place, ['tasks.ndjson', '--allow-rejects']);
  assert.equal(allowed.code, 0);
  assert.doesNotMatch(allowed.stderr, /error/);
  writeFileSync(join(place.cwd, 'tasks.ndjson'), '{"_id":"a"}\n');
  assert.equal((await importTasks(t, place, ['tasks.ndjson'])).code, 0);
  assert.equal(existsSync(file), false, 'an older file of refused lines is gone');
});

test('[IM-5] ten refused lines are told, the rest is left to the file', async (t) => {
  const place = placeWith(t, { 'tasks.ndjson': 'x\n'.repeat(30) });
  const flags = ['tasks.ndjson', '--rejects', 'bad.ndjson', '--quiet'];
  const { code, stdout, stderr } = await importTasks(t, place, flags);
  assert.equal(code, 4);
  assert.equal(stderr.match(/warning: line/g)?.length, 10);
  assert.match(stderr, /further refused lines are in .*bad\.ndjson/);
  assert.equal(jsonLines(readFileSync(join(place.cwd, 'bad.ndjson'), 'utf8')).length, 30);
  assert.equal(jsonLines(stdout).length, 1, '--quiet leaves the progress out');
});

test('[IM-6] ids follow the type of the collection', async (t) => {
  const text = lines([
    { _id: { $oid: '507F1F77BCF86CD799439011' }, n: { $numberInt: '1' } },
    { _id: '507f1f77bcf86cd799439012' },
    { _id: 'no object id' },
  ]);
  const place = placeWith(t, { 'objects.ndjson': text });
  const args = ['import', 'objects', 'objects.ndjson', '--scope', 'team', '--allow-rejects'];
  const { code, stderr } = await run(t, args, place);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /line 3: \/doc_id doc_id must be a string of type objectid/);
  const rows = await rowsOf(t, place);
  assert.deepEqual(
    rows.map(({ doc_id, data }) => [doc_id, data]),
    [
      ['507f1f77bcf86cd799439011', { n: 1 }],
      ['507f1f77bcf86cd799439012', {}],
    ],
  );
});

test('[IM-7] a dry run judges every line, makes no store, and runs beside a server', async (t) => {
  const text = '{"_id":"a"}\n{"_id":"b","_sync_x":1}\nx\n';
  const place = placeWith(t, { 'tasks.ndjson': text });
  const dry = await importTasks(t, place, ['tasks.ndjson', '--dry-run']);
  assert.equal(dry.code, 4);
  assert.deepEqual(dry.counts, { ...COUNTS, read: 3, imported: 1, rejected: 2 });
  assert.equal(existsSync(join(place.cwd, '.offline-sync')), false);
  await serve(t, place);
  const beside = await importTasks(t, place, ['tasks.ndjson', '--dry-run']);
  assert.deepEqual(beside.counts, dry.counts);
  assert.deepEqual(await rowsOf(t, place), []);
});

test('[IM-9] a store that a server holds is exit 5, one that was not initialised exit 3', async (t) => {
  const place = placeWith(t, { 'tasks.ndjson': '{"_id":"a"}\n' });
  await serve(t, place);
  const held = await importTasks(t, place, ['tasks.ndjson']);
  assert.equal(held.code, 5, held.stderr);
  const file = FILE.replace('auto_init: true', '');
  const bare = { cwd: freshFolder(t, { 'sync.config.yaml': file, 'tasks.ndjson': '{"_id":"a"}' }) };
  const early = await importTasks(t, bare, ['tasks.ndjson']);
  assert.equal(early.code, 3);
  assert.match(early.stderr, /offline-sync init/);
});

test('[IM-9] wrong use is exit 2 with the next step, and nothing is made', async (t) => {
  const place = placeWith(t, { 'a.ndjson': '', 'a.xml': '', 'a.csv': 'name\nx\n' });
  for (const [args, message] of [
    [['nope', 'a.ndjson', '--scope', 's'], /"nope" is not configured/],
    [['tasks', 'a.ndjson'], /--scope <id>/],
    [['tasks', 'a.ndjson', '--scope', ''], /--scope <id>/],
    [['fixed', 'a.ndjson', '--scope', 'other'], /belong to the scope "shared"/],
    [['tasks', 'none.ndjson', '--scope', 's'], /"none.ndjson" \(ENOENT\)/],
    [['tasks', '.', '--scope', 's', '--format', 'csv'], /is no file/],
    [['tasks', 'a.xml', '--scope', 's'], /--format/],
    [['tasks', 'a.ndjson', '--scope', 's', '--format', 'xml'], /"xml" is no known format/],
    [['tasks', 'a.ndjson', '--scope', 's', '--batch', '0'], /1 to 500/],
    [['tasks', 'a.ndjson', '--scope', 's', '--batch', '501'], /1 to 500/],
    [['tasks', 'a.ndjson', '--scope', 's', '--csv-types', 'infer'], /for CSV files/],
    [['tasks', 'a.csv', '--scope', 's', '--csv-types', 'name:text'], /"name:text"/],
    [['tasks', 'a.csv', '--scope', 's', '--dry-run'], /no field _id or id/],
    [['tasks', 'a.ndjson', '--scope', 's', '--rejects', 'a.ndjson'], /names the file itself/],
    [['tasks', 'a.ndjson', '--scope', 's', '--rejects', 'no/b', '--dry-run'], undefined],
    [['tasks'], /missing required argument/],
  ] as const) {
    const { code, stderr } = await run(t, ['import', ...args], place);
    assert.equal(code, message === undefined ? 0 : 2, `${args.join(' ')}: ${stderr}`);
    if (message !== undefined) assert.match(stderr, message);
  }
  assert.equal(existsSync(join(place.cwd, '.offline-sync')), false);
});

test('[IM-9] a collection with a fixed scope needs no --scope', async (t) => {
  const place = placeWith(t, { 'fixed.ndjson': '{"_id":"a"}\n' });
  const { code, stderr } = await run(t, ['import', 'fixed', 'fixed.ndjson'], place);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /done: 1 read, 1 imported/);
  assert.equal((await rowsOf(t, place))[0]?.scope_id, 'shared');
});

if (process.env.SYNC_TEST_MONGODB_URI) {
  test('[IM-4] mongo: killed and run again, every line is there exactly once', async (t) => {
    const database = await freshDatabase();
    t.after(() => database.drop());
    const env = { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name };
    const place = { ...placeWith(t, { 'tasks.ndjson': lines(numbered(300)) }), env };
    const args = ['--batch', '20'];
    assert.equal(await killedAfter(t, place, 5), true);
    const { code, stderr, counts } = await importTasks(t, place, ['tasks.ndjson', ...args]);
    assert.equal(code, 0, stderr);
    assert.ok(Number(counts['repeated']) >= 100, JSON.stringify(counts));
    await assertEachOnce(t, place, 300);
  });
}
