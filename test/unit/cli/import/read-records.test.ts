/** From a file to documents with ids. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { plainForms } from '../../../../src/cli/import/plain-forms.ts';
import {
  type FileRecord,
  type Format,
  type ReadOptions,
  readRecords,
} from '../../../../src/cli/import/read-records.ts';

async function read(
  t: TestContext,
  [format, text]: readonly [Format, string | Buffer],
  options: Partial<ReadOptions> = {},
): Promise<FileRecord[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sync-import-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'file');
  writeFileSync(path, text);
  const all = { format, id_field: undefined, csv_types: new Map(), ...options };
  const records: FileRecord[] = [];
  for await (const record of readRecords(path, all)) records.push(record);
  return records;
}

/** A record as its id and document, or as its line and fault. */
function short(record: FileRecord): unknown {
  return record.kind === 'document'
    ? [record.doc_id, record.data]
    : `${record.line} ${record.fault.code}`;
}

const lines = (...documents: unknown[]) => documents.map((one) => JSON.stringify(one)).join('\n');

test('[IM-6] the id is _id, else id, and only _id leaves the document', async (t) => {
  const text = lines(
    { _id: 'a', id: 'x', n: 1 },
    { id: 'b', n: 2 },
    { n: 3 },
    { _id: null, id: 'c' },
  );
  assert.deepEqual((await read(t, ['ndjson', text])).map(short), [
    ['a', { id: 'x', n: 1 }],
    ['b', { id: 'b', n: 2 }],
    '3 id_missing',
    '4 id_missing',
  ]);
});

test('[IM-6] a named field is the id; an _id beside it stays for the engine to judge', async (t) => {
  const text = lines({ code: 'a', _id: 'z' }, { id: 'b' });
  assert.deepEqual((await read(t, ['ndjson', text], { id_field: 'code' })).map(short), [
    ['a', { code: 'a', _id: 'z' }],
    '2 id_missing',
  ]);
});

test('[IM-6] whole numbers, ObjectIds, UUIDs and longs are ids as the wire writes them', async (t) => {
  const ids = [
    17,
    { $oid: '507f1f77bcf86cd799439011' },
    { $uuid: '00000000-0000-4000-8000-000000000000' },
    { $numberLong: '9007199254740993' },
    { $numberInt: '5' },
    1.5,
    true,
    '',
    ['a'],
  ];
  const records = await read(t, ['ndjson', lines(...ids.map((_id) => ({ _id })))]);
  assert.deepEqual(
    records.map((record) => (record.kind === 'document' ? record.doc_id : record.fault.code)),
    [
      '17',
      '507f1f77bcf86cd799439011',
      '00000000-0000-4000-8000-000000000000',
      '9007199254740993',
      '5',
      'id_missing',
      'id_missing',
      'id_missing',
      'id_missing',
    ],
  );
});

test('[IM-5] what is no document is named with its line, and the others go on', async (t) => {
  const text = `{"_id":"a"}\n{oops\n[1]\n"text"\n${'['.repeat(300)}${']'.repeat(300)}\n{"_id":"b"}`;
  const deep = `{"_id":"c","d":${'['.repeat(300)}${']'.repeat(300)}}`;
  assert.deepEqual((await read(t, ['ndjson', `${text}\n${deep}`])).map(short), [
    ['a', {}],
    '2 invalid_json',
    '3 not_an_object',
    '4 not_an_object',
    '5 not_an_object',
    ['b', {}],
    '7 nesting_too_deep',
  ]);
});

test('[IM-3] a byte order mark is no part of the first record', async (t) => {
  const marked = (text: string) =>
    Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)]);
  for (const [format, text] of [
    ['ndjson', '{"_id":"a"}'],
    ['json', '[{"_id":"a"}]'],
    ['csv', '_id\na'],
  ] as const) {
    assert.deepEqual((await read(t, [format, marked(text)])).map(short), [['a', {}]]);
  }
});

test('[IM-8] a CSV file needs a header with an id', async (t) => {
  const rows = await read(t, ['csv', 'id,n\na,1\nb\nc,"x\ny"\n'], { csv_types: 'infer' });
  assert.deepEqual(rows.map(short), [
    ['a', { id: 'a', n: 1 }],
    '3 csv_fields',
    ['c', { id: 'c', n: 'x\ny' }],
  ]);
  await assert.rejects(read(t, ['csv', 'a,b\n1,2']), /no field _id or id/);
  await assert.rejects(read(t, ['csv', 'a,a\n1,2']), /"a" twice/);
  await assert.rejects(read(t, ['csv', 'a,"b\n1,2'], { id_field: 'a' }), /quote/);
});

test('[IM-6] spellings of MongoDB’s tools become the protocol’s own', () => {
  const document = {
    int: { $numberInt: '-5' },
    double: { $numberDouble: '1.5' },
    whole: { $numberDouble: '2.0' },
    huge: { $numberDouble: '1e300' },
    zero: { $numberDouble: '-0.0' },
    at: { $date: { $numberLong: '1777723200000' } },
    old: { $date: 0 },
    uuid: { $binary: { base64: 'AAAAAAAAQACAAAAAAAAAAA==', subType: '04' } },
    list: [{ $numberInt: '1' }, { deep: { $numberInt: '2' } }],
    kept: [{ $oid: 'x' }, { $date: 'now' }, { $numberInt: 'x' }, { $timestamp: { t: 1, i: 1 } }],
    bytes: { $binary: { base64: 'AA==', subType: '00' } },
  };
  assert.deepEqual(plainForms(document), {
    int: -5,
    double: 1.5,
    whole: 2,
    huge: { $numberDouble: '1e+300' },
    zero: { $numberDouble: '-0.0' },
    at: { $date: '2026-05-02T12:00:00.000Z' },
    old: { $date: '1970-01-01T00:00:00.000Z' },
    uuid: { $uuid: '00000000-0000-4000-8000-000000000000' },
    list: [1, { deep: 2 }],
    kept: document.kept,
    bytes: document.bytes,
  });
});
