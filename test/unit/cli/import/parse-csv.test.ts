/** CSV: fields, headers and types. */

import assert from 'node:assert/strict';
import test from 'node:test';
import {
  type CsvTypes,
  documentOfRow,
  parseCsvRecord,
  readHeader,
} from '../../../../src/cli/import/parse-csv.ts';

function fieldsOf(text: string) {
  const fields = parseCsvRecord(text);
  return Array.isArray(fields) ? fields.map(({ text: field }) => field) : fields;
}

function document(header: string, row: string, types: CsvTypes = new Map()) {
  const columns = readHeader(parseCsvRecord(header) as never, types);
  assert.notEqual(typeof columns, 'string', String(columns));
  const made = documentOfRow(parseCsvRecord(row) as never, columns as never);
  return 'data' in made ? made.data : made.code;
}

function headerFault(header: string, types: CsvTypes = new Map()): unknown {
  return readHeader(parseCsvRecord(header) as never, types);
}

test('[IM-3] CSV: quotes, doubled quotes, commas and empty fields (RFC 4180)', () => {
  assert.deepEqual(fieldsOf('a,"b,c","say ""hi""",,"",d'), ['a', 'b,c', 'say "hi"', '', '', 'd']);
  assert.deepEqual(fieldsOf('a,'), ['a', '']);
  assert.deepEqual(fieldsOf(''), ['']);
  assert.deepEqual(fieldsOf('"x\r\ny"'), ['x\r\ny']);
  for (const bad of ['a"b', '"a"b', '"open', '"a" ,b']) {
    assert.equal((fieldsOf(bad) as { code: string }).code, 'csv_quote', bad);
  }
});

test('[IM-8] CSV values are texts, whatever they look like', () => {
  assert.deepEqual(document('id,n,b,e', '007,1,true,'), { id: '007', n: '1', b: 'true', e: '' });
});

test('[IM-8] dots in the header nest', () => {
  assert.deepEqual(document('id,at.city,at.zip', '1,Bonn,53111'), {
    id: '1',
    at: { city: 'Bonn', zip: '53111' },
  });
});

test('[IM-8] named types read numbers, booleans and dates; an empty field has no value', () => {
  const types = new Map([
    ['n', 'number'],
    ['b', 'boolean'],
    ['d', 'date'],
    ['s', 'string'],
  ] as const);
  const read = (row: string) => document('n,b,d,s,t', row, types);
  assert.deepEqual(read('-1.5e3,false,2026-05-02,1,2'), {
    n: -1_500,
    b: false,
    d: { $date: '2026-05-02T00:00:00.000Z' },
    s: '1',
    t: '2',
  });
  assert.deepEqual(read(',,,,'), { s: '', t: '' });
  assert.deepEqual(read('1,true,2026-05-02T10:00:00Z,,'), {
    n: 1,
    b: true,
    d: { $date: '2026-05-02T10:00:00Z' },
    s: '',
    t: '',
  });
  for (const row of ['x,,,,', '0x10,,,,', '01,,,,', ',yes,,,', ',,02.05.2026,,', '"",,,,']) {
    assert.equal(read(row), 'csv_value', row);
  }
});

test('[IM-8] infer takes a number only when it reads back as the same text', () => {
  assert.deepEqual(
    document('a,b,c,d,e,f,g,h', '1,-0.5,007,1e5,12345678901234567890,true,"2",', 'infer'),
    {
      a: 1,
      b: -0.5,
      c: '007',
      d: '1e5',
      e: '12345678901234567890',
      f: true,
      g: '2',
    },
  );
});

test('[IM-8] a row of another length is refused, and so is a header that cannot be used', () => {
  assert.equal(document('a,b', '1'), 'csv_fields');
  assert.equal(document('a,b', '1,2,3'), 'csv_fields');
  assert.match(String(headerFault('a,b,a')), /"a" twice/);
  assert.match(String(headerFault('a,')), /no field name/);
  assert.match(String(headerFault('a..b')), /no field name/);
  assert.match(String(headerFault('__proto__.x')), /no field name/);
  assert.match(String(headerFault('a.b,a')), /fields inside it/);
  assert.match(String(headerFault('a', new Map([['b', 'number']]))), /names "b"/);
});

test('[IM-8] a column named like something that every object has is a field like any other', () => {
  const before = Object.getOwnPropertyNames(Object).length;
  assert.deepEqual(
    JSON.stringify(document('constructor.a,toString.b.c,valueOf', '1,2,3')),
    '{"constructor":{"a":"1"},"toString":{"b":{"c":"2"}},"valueOf":"3"}',
  );
  document('constructor.prototype.taken_in', '1');
  assert.equal(({} as Record<string, unknown>)['taken_in'], undefined);
  assert.equal(Object.getOwnPropertyNames(Object).length, before);
});
