/** Files cut into records: NDJSON, JSON and CSV, whatever the chunks they arrive in. */

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  type RawRecord,
  RECORD_BYTES_MAX,
  type Splitter,
} from '../../../../src/cli/import/record-bytes.ts';
import { JsonSplitter } from '../../../../src/cli/import/split-json.ts';
import { CsvSplitter, LineSplitter } from '../../../../src/cli/import/split-lines.ts';
import { checkLaw } from '../../../support/law.ts';

const SPLITTERS = {
  ndjson: () => new LineSplitter(),
  json: () => new JsonSplitter(),
  csv: () => new CsvSplitter(),
};

function cut(splitter: Splitter, bytes: Buffer, size = bytes.length): RawRecord[] {
  const records: RawRecord[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    records.push(...splitter.push(bytes.subarray(at, at + size)));
  }
  return [...records, ...splitter.end()];
}

/** Records as `line:text`, with the fault's code behind a wrong one. */
function seen(splitter: Splitter, text: string | Buffer): string[] {
  return cut(splitter, Buffer.from(text as string)).map(
    ({ line, text: record, fault }) => `${line}:${record}${fault ? ` !${fault.code}` : ''}`,
  );
}

const json = (text: string) => seen(new JsonSplitter(), text);
const lines = (text: string | Buffer) => seen(new LineSplitter(), text);
const csv = (text: string) => seen(new CsvSplitter(), text);

test('[IM-3] NDJSON: one record per line, empty lines counted, any line end, the last without one', () => {
  assert.deepEqual(lines('{"a":1}\n\r\n  \n{"b":2}\r\n{"c":3}'), [
    '1:{"a":1}',
    '4:{"b":2}',
    '5:{"c":3}',
  ]);
  assert.deepEqual(lines(''), []);
});

test('[IM-3] bytes that are not UTF-8 spoil their own record', () => {
  const bytes = Buffer.concat([Buffer.from('a\n'), Buffer.from([0x62, 0xff]), Buffer.from('\nc')]);
  assert.deepEqual(lines(bytes), ['1:a', '2:b\ufffd !invalid_utf8', '3:c']);
});

test('[IM-3] a record beyond the bound is cut, named and passed over', () => {
  const long = (bytes: number) =>
    cut(new LineSplitter(), Buffer.from(`${'x'.repeat(bytes)}\nok`), 65_536);
  assert.deepEqual(
    long(RECORD_BYTES_MAX).map(({ text, fault }) => [text.length, fault?.code]),
    [
      [RECORD_BYTES_MAX, undefined],
      [2, undefined],
    ],
  );
  const [cutOff, next] = long(RECORD_BYTES_MAX + 1);
  assert.deepEqual([cutOff?.text.length, cutOff?.fault?.code], [1_000, 'record_too_long']);
  assert.deepEqual([next?.line, next?.text], [2, 'ok']);
});

test('[IM-3] JSON: the elements of an array, each with the line it begins on', () => {
  assert.deepEqual(json('[\n  {"a": "],}\\""},\n  {"b": [1, {"c": 2}]}\n]\n'), [
    '2:{"a": "],}\\""}',
    '3:{"b": [1, {"c": 2}]}',
  ]);
  assert.deepEqual(json(' [ ] '), []);
  assert.deepEqual(json('[1,"two",null]'), ['1:1', '1:"two"', '1:null']);
});

test('[IM-3] JSON: objects one after the other, on one line or on several', () => {
  assert.deepEqual(json('{"a":\n1}{"b":2}\n\n{"c":3}'), ['1:{"a":\n1}', '2:{"b":2}', '4:{"c":3}']);
  assert.deepEqual(json('nonsense\n{"a":1}'), ['1:nonsense', '2:{"a":1}']);
});

test('[IM-3] JSON: what is broken spoils as little as can be', () => {
  assert.deepEqual(json('[{"a":1] ,{"b":2}]'), ['1:{"a":1]', '1:{"b":2}']);
  assert.deepEqual(json('[{"a":1} {"b":2},{"c":3}]'), ['1:{"a":1} {"b":2}', '1:{"c":3}']);
  assert.deepEqual(json('[{"a":1},\n{"b":'), ['1:{"a":1}', '2:{"b":']);
  assert.deepEqual(json('[{"a":1},\n'), ['1:{"a":1}', '2: !file_truncated']);
  assert.deepEqual(json('[{"a":1},\n{"b":2}\n'), ['1:{"a":1}', '2:{"b":2}', '3: !file_truncated']);
  assert.deepEqual(json('[{"a":1}]\n{"b":2}, {"c":3}'), [
    '1:{"a":1}',
    '2:{"b":2}, {"c":3} !text_after_end',
  ]);
});

test('[IM-3] CSV: a line end inside quotes belongs to the field', () => {
  assert.deepEqual(csv('a,b\r\n1,"x\ny"\r\n\n2,"say ""hi"""\n'), [
    '1:a,b',
    '2:1,"x\ny"',
    '5:2,"say ""hi"""',
  ]);
});

test('[IM-3] CSV: a stray quote spoils its own record only', () => {
  assert.deepEqual(csv('5" pipe,1\nb,2\n'), ['1:5" pipe,1', '2:b,2']);
  assert.deepEqual(csv('"a"b,1\nc,2\n'), ['1:"a"b,1', '2:c,2']);
});

const texts = fc.array(
  fc.constantFrom(
    '{"_id":"ä"}',
    '"',
    '""',
    ',',
    '\n',
    '\r\n',
    '[',
    ']',
    '{',
    '}',
    '\\',
    'x',
    ' ',
    '€',
  ),
  { maxLength: 40 },
);

for (const [format, splitterOf] of Object.entries(SPLITTERS)) {
  test(`[IM-3] ${format}: the chunks of a file make no difference, and no byte is missed`, (t) => {
    const law = fc.property(texts, fc.integer({ min: 1, max: 9 }), (parts, size) => {
      const bytes = Buffer.from(parts.join(''));
      const whole = cut(splitterOf(), bytes);
      assert.deepEqual(cut(splitterOf(), bytes, size), whole);
      const solid = (text: string) => text.replace(/[\s,[\]]/g, '');
      const kept = whole.map(({ text }) => text).join('');
      assert.equal(solid(kept), solid(bytes.toString()));
      assert.ok(whole.every(({ end }) => end <= bytes.length));
    });
    checkLaw(t, law, 300);
  });
}
