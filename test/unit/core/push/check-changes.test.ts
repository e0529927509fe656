/** Verdicts on changes before any I/O. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { AdmittedChange } from '../../../../src/core/push/check-changes.ts';
import type { Change } from '../../../../src/protocol/change.ts';
import { documentHash } from '../../../../src/protocol/pure/hash.ts';
import type { IdType } from '../../../../src/protocol/pure/ids.ts';
import { change, checked } from '../../../support/engine/deciding.ts';
import { sha256 } from '../../../support/engine/fake-system.ts';
import { catalogue, hlc, policy, SCOPE } from '../../../support/engine/records.ts';

type Options = Parameters<typeof checked>[1];

function admitted(sent: unknown, options?: Options): AdmittedChange {
  const [only] = checked([sent], options);
  assert.equal(only?.kind, 'admitted', JSON.stringify(only));
  return only;
}

/** Code, and path and code of each issue. */
function refused(sent: unknown, options?: Options): string {
  const [only] = checked([sent], options);
  assert.equal(only?.kind, 'rejected', JSON.stringify(sent));
  return [only.code, ...only.issues.map((issue) => `${issue.path} ${issue.code}`)].join(' | ');
}

function typed(id_type: IdType): Options {
  return { catalogue: catalogue(policy('tasks', { id_type })) };
}

test('[PU-2] anything may stand in changes: each is judged alone and keeps its place', () => {
  const sent = [null, [], 'x', 7, true, {}, change(), { collection: 1, doc_id: {} }];
  const verdicts = checked(sent);
  assert.deepEqual(
    verdicts.map(({ kind, index }) => [kind, index]),
    sent.map((_, index) => [index === 6 ? 'admitted' : 'rejected', index]),
  );
  assert.equal(refused(null), 'validation_failed | /changes/0 invalid_change');
  assert.equal(refused([change()]), 'validation_failed | /changes/0 invalid_change');
  const [, second] = checked([change(), 'x']);
  assert.ok(second?.kind === 'rejected' && second.issues[0]?.path === '/changes/1');
});

test('[PU-2] a refused change echoes its names only while they are short and its id when it is one', () => {
  const echo = (fields: object) => {
    const [only] = checked([{ operation: 'x', ...change(), ...fields }]);
    return [only?.collection, only?.doc_id, only?.mutation_id];
  };
  assert.deepEqual(echo({ operation: 'x', mutation_id: 'm1' }), ['tasks', 't1', 'm1']);
  const [edge, long] = ['n'.repeat(256), 'n'.repeat(257)];
  assert.deepEqual(echo({ collection: edge, doc_id: edge, mutation_id: long }), [edge, edge, null]);
  assert.deepEqual(echo({ collection: long, doc_id: long }), [null, null, null]);
  assert.deepEqual(echo({ collection: {}, doc_id: 7, mutation_id: 7 }), [null, null, null]);
});

test('[PU-3] near misses and later names are refused, other unknown names are ignored', () => {
  assert.equal(
    refused({ ...change(), parentVersion: hlc(1), docID: 'x' }),
    'validation_failed | /changes/0/parentVersion near_miss | /changes/0/docID near_miss',
  );
  for (const name of ['vector_clock', 'force', 'onConflict']) {
    assert.equal(
      refused({ ...change(), [name]: 1 }),
      `validation_failed | /changes/0/${name} unsupported_field`,
    );
  }
  assert.equal(admitted({ ...change(), colour: 'red', __proto__: null }).collection, 'tasks');
});

test('[PU-2] collections are exact names of the configuration; unknown and forbidden ones look alike', () => {
  const names = ['Tasks', ' tasks', 'tаsks', 'sync_oplog', 'system.users', '', '__proto__'];
  for (const collection of [...names, 'constructor', 'tasks\0', 'forbidden', 7, null, undefined]) {
    assert.equal(
      refused({ ...change(), collection }),
      'collection_forbidden | /changes/0/collection invalid_collection',
    );
  }
});

test('[PU-5] a collection of another scope is refused', () => {
  const own = catalogue(policy('fixed', { scope: SCOPE }), policy('other', { scope: 'scope-2' }));
  assert.equal(admitted(change({ collection: 'fixed' }), { catalogue: own }).collection, 'fixed');
  assert.equal(
    refused(change({ collection: 'other' }), { catalogue: own }),
    'scope_forbidden | /changes/0/collection invalid_collection',
  );
});

test('[PU-2] operations are upsert and delete', () => {
  for (const operation of ['UPSERT', 'insert', 'remove', 'reset', '', null, undefined, 1]) {
    assert.equal(
      refused({ ...change(), operation }),
      'validation_failed | /changes/0/operation invalid_operation',
    );
  }
});

test('[PU-2] ids are strings of their collection’s type, in canonical form', () => {
  const bad = 'validation_failed | /changes/0/doc_id invalid_doc_id';
  const hostile = [
    '',
    'x'.repeat(257),
    'a\nb',
    'a\0',
    '\ud800',
    '\ufffe',
    1,
    1.5,
    null,
    {},
    [],
    true,
  ];
  for (const doc_id of [...hostile, undefined, { $oid: 'a'.repeat(24) }]) {
    assert.equal(refused({ ...change(), doc_id }), bad);
  }
  assert.equal(admitted(change({ doc_id: 'x'.repeat(256) })).doc_id.length, 256);
  const upper = 'ABCDEFABCDEFABCDEFABCDEF';
  assert.equal(admitted(change({ doc_id: upper }), typed('objectid')).doc_id, upper.toLowerCase());
  for (const doc_id of [upper.slice(1), `${upper}0`, upper.replace('A', 'G')]) {
    assert.equal(refused(change({ doc_id }), typed('objectid')), bad);
  }
  const uuid = '0E37DF36-F698-11E6-8DD4-CB9CED3DF976';
  assert.equal(admitted(change({ doc_id: uuid }), typed('uuid')).doc_id, uuid.toLowerCase());
  assert.equal(refused(change({ doc_id: uuid.replaceAll('-', '') }), typed('uuid')), bad);
  assert.equal(admitted(change({ doc_id: '-9007199254740991' }), typed('int')).doc_id.length, 17);
  for (const doc_id of ['01', '-0', '1.0', '1e3', '9007199254740992', ' 1']) {
    assert.equal(refused(change({ doc_id }), typed('int')), bad);
  }
});

test('[PU-15] `_id` inside data must be the id, and is taken out', () => {
  const inside = (_id: unknown, doc_id: string, type: IdType) =>
    checked([change({ doc_id, data: { _id, n: 1 } as Record<string, unknown> })], typed(type))[0];
  const oid = 'abcdefabcdefabcdefabcdef';
  const uuid = '0e37df36-f698-11e6-8dd4-cb9ced3df976';
  const equal: [unknown, string, IdType][] = [
    ['t1', 't1', 'string'],
    [oid, oid, 'objectid'],
    [{ $oid: oid.toUpperCase() }, oid, 'objectid'],
    [{ $uuid: uuid }, uuid, 'uuid'],
    [7, '7', 'int'],
    ['7', '7', 'int'],
  ];
  for (const [_id, doc_id, type] of equal) {
    const only = inside(_id, doc_id, type);
    assert.ok(only?.kind === 'admitted', doc_id);
    assert.deepEqual(only.data, { n: 1 });
  }
  const other: [unknown, string, IdType][] = [
    ['t2', 't1', 'string'],
    [null, 't1', 'string'],
    [undefined, 't1', 'string'],
    [{ $oid: oid }, 't1', 'string'],
    [{ $date: oid }, oid, 'objectid'],
    [8, '7', 'int'],
    [[7], '7', 'int'],
  ];
  for (const [_id, doc_id, type] of other) {
    const only = inside(_id, doc_id, type);
    assert.ok(only?.kind === 'rejected');
    assert.deepEqual(
      [only.code, only.issues[0]?.path, only.issues[0]?.code],
      ['validation_failed', '/changes/0/data/_id', 'id_mismatch'],
    );
  }
});

test('[PU-15] fields of the engine are refused in data', () => {
  for (const key of ['_sync_version', '_sync_deleted', '_sync_', '_sync_scope_id']) {
    assert.equal(
      refused(change({ data: { [key]: 1 } })),
      `reserved_field | /changes/0/data/${key} reserved_field`,
    );
  }
  const long = `_sync_${'x'.repeat(300)}`;
  const [only] = checked([change({ data: { [long]: 1 } })]);
  assert.ok(only?.kind === 'rejected' && (only.issues[0]?.path.length ?? 999) < 90);
  assert.deepEqual(admitted(change({ data: { _synced: 1, _sync: 2 } })).data, {
    _synced: 1,
    _sync: 2,
  });
});

test('[PU-2] hostile documents are refused where they are wrong', () => {
  const own = JSON.parse('{"a": {"__proto__": {"x": 1}}}') as Record<string, unknown>;
  const top = JSON.parse('{"__proto__": {"x": 1}}') as Record<string, unknown>;
  assert.match(refused(change({ data: own })), /^invalid_key \| \/changes\/0\/data\/a\/__proto__/);
  assert.match(refused(change({ data: top })), /^invalid_key \| \/changes\/0\/data\/__proto__/);
  assert.match(refused(change({ data: { a: { $where: '1' } } })), /^invalid_key/);
  assert.match(refused(change({ data: { 'a.b': 1 } })), /^invalid_key/);
  assert.equal(
    refused(change({ data: { n: Number.POSITIVE_INFINITY } })),
    'validation_failed | /changes/0/data/n invalid_number',
  );
  for (const data of [[], 'x', 7, true]) {
    const verdict = refused({ ...change(), data });
    assert.equal(verdict, 'validation_failed | /changes/0/data invalid_data');
  }
});

test('[PU-2] an upsert without data stores an empty document, a delete drops its data', () => {
  const empty = { data: {}, content_hash: documentHash(sha256, {}) };
  for (const sent of [{ data: null }, { data: undefined }, { data: {} }]) {
    const { data, content_hash } = admitted({ ...change(), ...sent });
    assert.deepEqual({ data, content_hash }, empty);
  }
  const gone = admitted(change({ operation: 'delete', data: { _sync_x: 1, $where: 1 } }));
  assert.deepEqual([gone.data, gone.typed, gone.content_hash, gone.bytes], [null, null, '', 2]);
});

test('[PU-2] a document of the limit is taken, one of a byte more is refused', () => {
  const data = { text: 'x'.repeat(100) };
  const { bytes } = admitted(change({ data }));
  const size = bytes - 2;
  assert.equal(admitted(change({ data }), { max_document_bytes: size }).bytes, bytes);
  assert.equal(
    refused(change({ data }), { max_document_bytes: size - 1 }),
    'document_too_large | /changes/0/data invalid_data',
  );
});

test('[PU-2] versions are checked; an empty or zero parent is none', () => {
  for (const field of ['parent_version', 'change_version']) {
    for (const value of ['x', '20261301T000000.000Z-0000', hlc(1).toUpperCase(), 7, {}]) {
      assert.equal(
        refused({ ...change(), [field]: value }),
        `hlc_invalid | /changes/0/${field} invalid_version`,
      );
    }
    assert.equal(admitted({ ...change(), [field]: hlc(1) })[field as 'parent_version'], hlc(1));
    assert.equal(admitted({ ...change(), [field]: null })[field as 'parent_version'], null);
  }
  for (const parent_version of ['', '19700101T000000.000Z-0000']) {
    assert.equal(admitted(change({ parent_version })).parent_version, null);
  }
  const first = '19700101T000000.000Z-0000-a1b2';
  assert.equal(admitted(change({ parent_version: first })).parent_version, first);
  assert.equal(refused(change({ change_version: '' })).startsWith('hlc_invalid'), true);
  const zero = '19700101T000000.000Z-0000';
  assert.equal(admitted(change({ change_version: zero })).change_version, zero);
});

test('[PU-2] mutation ids are short texts', () => {
  for (const field of ['mutation_id', 'parent_mutation_id']) {
    for (const value of ['', 'x'.repeat(65), 'a\nb', 7, {}]) {
      assert.equal(
        refused({ ...change(), [field]: value }),
        `validation_failed | /changes/0/${field} invalid_mutation_id`,
      );
    }
    const found = admitted({ ...change(), [field]: 'x'.repeat(64) });
    assert.equal(found[field as 'mutation_id']?.length, 64);
    assert.equal(admitted({ ...change(), [field]: null })[field as 'mutation_id'], null);
  }
});

const owned = (fields: Partial<Change> = {}) => change({ collection: 'owned', ...fields });

test('[PU-5] the scope field is stamped where it is absent, at any depth, in every copy', () => {
  const cases: [Record<string, unknown>, unknown][] = [
    [{}, { meta: { owner: SCOPE } }],
    [{ meta: {} }, { meta: { owner: SCOPE } }],
    [{ meta: { owner: SCOPE, n: 1 } }, { meta: { owner: SCOPE, n: 1 } }],
    [
      { meta: { n: 1 }, a: 2 },
      { meta: { n: 1, owner: SCOPE }, a: 2 },
    ],
  ];
  for (const [data, stamped] of cases) {
    const found = admitted(owned({ data }));
    assert.deepEqual(found.data, stamped);
    assert.equal(found.content_hash, documentHash(sha256, found.data ?? {}));
  }
  const long = admitted(owned({ data: { n: { $numberLong: '5' } } }));
  assert.deepEqual(long.typed, { n: { $numberLong: '5' }, meta: { owner: SCOPE } });
  assert.deepEqual(long.data, { n: 5, meta: { owner: SCOPE } });
  assert.equal(
    admitted(owned({ data: {} })).mutation_hash,
    admitted(owned({ data: null })).mutation_hash,
  );
  assert.notEqual(
    admitted(owned({ data: {} })).mutation_hash,
    admitted(owned({ data: { meta: { owner: SCOPE } } })).mutation_hash,
    'a mutation is what was sent',
  );
});

test('[PU-5] another value in the scope field is refused, and nothing is stamped into a value', () => {
  const values: unknown[] = ['scope-2', '', null, 7, [], { a: 1 }];
  const shapes = [
    ...values.map((owner) => ({ meta: { owner } })),
    ...[null, 'x', 7, [], [{}]].map((meta) => ({ meta })),
    { meta: { $date: '2026-05-02T12:00:00.000Z' } },
    { meta: { $numberLong: '9223372036854775807' } },
  ];
  for (const data of shapes) {
    assert.equal(refused(owned({ data })), 'scope_forbidden | /changes/0/data invalid_data');
  }
  assert.equal(admitted(owned({ operation: 'delete' })).data, null, 'a delete carries no field');
});

test('[PU-8] the hash of a mutation covers what was sent, in any spelling of the same', () => {
  const base = admitted(change()).mutation_hash;
  const same = [
    change({ parent_version: '' }),
    change({ mutation_id: 'm1', parent_mutation_id: 'm0' }),
    change({ data: { title: 'sent', _id: 't1' } }),
  ];
  for (const sent of same) assert.equal(admitted(sent).mutation_hash, base);
  const other = [
    change({ doc_id: 't2' }),
    change({ collection: 'notes' }),
    change({ operation: 'delete' }),
    change({ data: { title: 'other' } }),
    change({ parent_version: hlc(1) }),
    change({ change_version: hlc(1) }),
  ].map((sent) => admitted(sent).mutation_hash);
  assert.equal(new Set([base, ...other]).size, 7);
  const ordered = [{ a: 1, b: 2 }, JSON.parse('{"b": 2, "a": 1}') as object].map(
    (data) => admitted({ ...change(), data }).mutation_hash,
  );
  assert.equal(ordered[0], ordered[1]);
});

test('[PU-2] a fault of the engine is not mistaken for a refusal', () => {
  const broken = new Map([['tasks', policy('tasks')]]);
  broken.get = () => {
    throw new TypeError('a bug');
  };
  assert.throws(() => checked([change()], { catalogue: broken }), TypeError);
});
