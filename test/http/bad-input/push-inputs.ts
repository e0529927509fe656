/** Rows P of the bad-input catalogue, and pushes for codes that no row names (X). */

import { call, type Reply } from '../support/call.ts';
import {
  change,
  type Input,
  type Inputs,
  pushChanges,
  pushData,
  pushEnvelope,
  pushOne,
  resultsOf,
  send,
} from './inputs.ts';

const OLD = '20200101T000000.000Z-0000-abcd';
const FUTURE = '29990101T000000.000Z-0000-abcd';
const OID = '507f1f77bcf86cd799439011';

function nested(depth: number): unknown {
  return depth === 1 ? {} : { a: nested(depth - 1) };
}

function collections(...names: string[]): Record<string, Input> {
  return Object.fromEntries(names.map((name) => [name, pushOne({ collection: name })]));
}

function docIds(ids: Record<string, unknown>, parts: Record<string, unknown> = {}) {
  return Object.fromEntries(
    Object.entries(ids).map(([name, doc_id]) => [name, pushOne({ ...parts, doc_id })]),
  );
}

function documents(texts: Record<string, string>): Record<string, Input> {
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, pushData(text, `doc ${name.slice(0, 9)}`)]),
  );
}

/** A list whose stored form is about 1 MB although its text is a fifth of that. */
function wideList(): number[] {
  return Array.from({ length: 90_000 }, () => 1);
}

/** The inputs by row and name. */
export const PUSH_INPUTS: Inputs = {
  P1: {
    missing: pushEnvelope({ changes: undefined }),
    'not an array': pushEnvelope({ changes: {} }),
    empty: pushEnvelope({ changes: [] }),
  },
  P2: { '501 changes': pushEnvelope({ changes: Array.from({ length: 501 }, () => change()) }) },
  P3: {
    'unknown in the envelope': pushEnvelope({ extra: 1 }),
    'unknown in a change': pushOne({ doc_id: 'p3-extra', extra: 1 }),
    clientId: pushEnvelope({ clientId: 'x' }),
    parentVersion: pushOne({ parentVersion: null }),
    docId: pushOne({ docId: 'x' }),
  },
  P4: {
    missing: pushEnvelope({ client_id: undefined }),
    empty: pushEnvelope({ client_id: '' }),
    '129 characters': pushEnvelope({ client_id: 'c'.repeat(129) }),
    number: pushEnvelope({ client_id: 7 }),
    'control characters': pushEnvelope({ client_id: 'a\nb' }),
    'lone surrogate': pushEnvelope({ client_id: 'a\ud800' }),
  },
  P6: {
    UPSERT: pushOne({ operation: 'UPSERT' }),
    insert: pushOne({ operation: 'insert' }),
    missing: pushOne({ operation: undefined }),
  },
  P7: { null: pushChanges(null), text: pushChanges('x'), array: pushChanges([]) },
  P8: collections('nowhere'),
  P9: collections('system.users', 'sync_oplog', 'admin.x', 'tasks$', 'tasks\0'),
  P10: collections('Tasks', ' tasks', 't\u0430sks'),
  P11: collections('__proto__', 'constructor', 'toString'),
  P12: docIds({ missing: undefined, null: null, empty: '', object: {}, array: ['x'], bool: true }),
  P13: docIds({ '257 characters': 'd'.repeat(257) }),
  P14: docIds({ NUL: 'a\0b', newline: 'a\nb', 'lone surrogate': 'a\udc00', 'U+FFFE': 'a\ufffe' }),
  P15: docIds({ '1': 1, '1.5': 1.5, '-0': -0, '1e21': 1e21 }),
  P16: docIds({ $oid: { $oid: OID }, $gt: { $gt: '' } }),
  P17: docIds(
    { '23 digits': OID.slice(1), '25 digits': `${OID}0`, 'no hex': `z${OID.slice(1)}` },
    { collection: 'objects' },
  ),
  P18: docIds({ 'upper case': OID.toUpperCase() }, { collection: 'objects' }),
  P19: {
    'delete with data': pushOne({ doc_id: 'p19', operation: 'delete', data: { a: 1 } }),
    'upsert without data': pushOne({ doc_id: 'p19', data: undefined }),
    'upsert with an array': pushOne({ data: [] }),
    'upsert with a text': pushOne({ data: 'x' }),
  },
  P20: { $set: pushOne({ data: { $set: { a: 1 } } }) },
  P21: { $where: pushOne({ data: { a: { $where: '1' } } }) },
  P22: documents({ 'a.b': '{"a.b":1}', '.a': '{".a":1}', 'a.': '{"a.":1}' }),
  P23: documents({
    empty: '{"":1}',
    '1,025 characters': `{"${'k'.repeat(1_025)}":1}`,
    NUL: '{"a\\u0000b":1}',
    'lone surrogate': '{"a\\ud800":1}',
  }),
  P24: { $ref: pushOne({ data: { a: { $ref: 'tasks', $id: '1' } } }) },
  P25: documents({
    'depth 1': '{"__proto__":{"x":1}}',
    'depth 20': `${'{"a":'.repeat(19)}{"__proto__":1}${'}'.repeat(19)}`,
  }),
  P26: documents({
    ObjectId: '{"a":{"_bsontype":"ObjectId"}}',
    Code: '{"_bsontype":"Code"}',
    Nope: '{"a":[{"_bsontype":"Nope"}]}',
    '1': '{"_bsontype":1}',
  }),
  P27: documents({
    $date: '{"at":{"$date":"2026-05-02T12:00:00.000Z"}}',
    $numberLong: '{"n":{"$numberLong":"9007199254740993"}}',
    $code: '{"a":{"$code":"x"}}',
    $regularExpression: '{"a":{"$regularExpression":{"pattern":"a","options":""}}}',
    'an extra key': '{"a":{"$date":"2026-05-02T12:00:00.000Z","x":1}}',
  }),
  P28: documents({ '1e400': '{"a":1e400}', '-1e400': '{"a":-1e400}' }),
  P29: documents({ '2^53+1': '{"a":9007199254740993}' }),
  P30: documents({ 'lone surrogate': '{"a":"\\ud800"}' }),
  P32: { 'depth 33': pushOne({ data: nested(33) }) },
  P33: {
    '2,001 keys': pushOne({
      data: Object.fromEntries(Array.from({ length: 2_001 }, (_, i) => [`k${i}`, 1])),
    }),
    '100,001 items': pushOne({ data: { a: Array.from({ length: 100_001 }, () => 1) } }),
  },
  P34: {
    _sync_version: pushOne({ data: { _sync_version: 'x' } }),
    _sync_deleted: pushOne({ data: { _sync_deleted: true } }),
  },
  P35: { 'another _id': pushOne({ data: { _id: 'other' } }) },
  P36: {
    'scope field of another': pushOne({ collection: 'owned', data: { meta: { tenant: 's2' } } }),
    'collection of another': pushOne({ collection: 'shared' }),
  },
  P37: { absent: pushOne({ collection: 'owned', doc_id: 'p37', data: {} }) },
  P38: {
    'of another scope': pushOne({ doc_id: 'foreign' }),
    unmigrated: pushOne({ doc_id: 'unmigrated' }),
  },
  P39: { '1 MiB and a byte': pushOne({ data: { a: 'x'.repeat(1_048_576) } }) },
  P41: {
    'parent junk': pushOne({ parent_version: 'junk' }),
    'parent month 13': pushOne({ parent_version: '20261301T000000.000Z-0000' }),
    'parent year 0000': pushOne({ parent_version: '00000101T000000.000Z-0000' }),
    'parent lower case': pushOne({ parent_version: '20260101t000000.000z-0000' }),
    'stamp number': pushOne({ change_version: 7 }),
    'parent far ahead': pushOne({ doc_id: 't1', parent_version: FUTURE }),
    'parent empty': pushOne({ doc_id: 'p41', parent_version: '' }),
  },
  P42: {
    'of another document': (world, seeds) =>
      pushOne({ doc_id: 't2', parent_version: seeds.t1, data: { b: 1 } })(world, seeds),
    'above the current': (world, seeds) =>
      pushOne({ doc_id: 't1', parent_version: seeds.t2, data: { b: 2 } })(world, seeds),
  },
  P43: { 'resurrected update': pushOne({ doc_id: 'gone', data: { back: 1 } }) },
  P43b: {
    'refused by reject_update': (world, seeds) =>
      pushOne({ collection: 'strict', doc_id: 'gone', parent_version: seeds.t1 })(world, seeds),
    'lost to delete_wins': (world, seeds) =>
      pushOne({ collection: 'final', doc_id: 'gone', parent_version: seeds.t1 })(world, seeds),
    'lost to server_wins': (world, seeds) =>
      pushOne({ collection: 'strict', doc_id: 'kept', change_version: FUTURE })(world, seeds),
  },
  P44: { 'of a missing document': pushOne({ doc_id: 'p44', operation: 'delete' }) },
  P45: { 'old stamp': pushOne({ change_version: OLD, mutation_id: 'p45' }) },
  P46: { 'same again': pushOne({ doc_id: 't1', data: { n: 1 }, mutation_id: 'm1' }) },
  P47: {
    'other data': pushOne({ doc_id: 't1', data: { n: 2 }, mutation_id: 'm1' }),
    'other document': pushOne({ doc_id: 'new', data: { n: 1 }, mutation_id: 'm1' }),
  },
  P48: { client_seq: pushEnvelope({ client_seq: 1 }) },
  P49: {
    'one after the other': pushChanges(
      change({ doc_id: 'p49' }),
      change({ doc_id: 'p49', data: { a: 2 } }),
    ),
  },
  P50: {
    'same change': pushChanges(
      change({ doc_id: 'p50', mutation_id: 'p50' }),
      change({ doc_id: 'p50', mutation_id: 'p50' }),
    ),
    'another change': pushChanges(
      change({ doc_id: 'p50b', mutation_id: 'p50b' }),
      change({ doc_id: 'p50c', mutation_id: 'p50b' }),
    ),
  },
  P51: {
    'at the same time': async (world, seeds) => {
      const push = pushOne({ doc_id: 'p51', mutation_id: 'p51' });
      const [one, other] = await Promise.all([push(world, seeds), push(world, seeds)]);
      const result = (reply: Reply) => resultsOf(reply)[0];
      // Either may be first; exactly one is the repeat.
      const [first, repeat] = result(one)?.duplicate ? [other, one] : [one, other];
      const equal = result(first)?.new_version === result(repeat)?.new_version;
      return equal && !result(first)?.duplicate ? repeat : { ...repeat, status: 0 };
    },
  },
  P54: collections('hidden'),
  P55: {
    '1 bad of 3': pushEnvelope({
      atomic: 'bundle',
      changes: [change({ doc_id: 'a' }), change({ doc_id: '' }), change({ doc_id: 'b' })],
    }),
    'junk atomic': pushEnvelope({ atomic: 'all' }),
  },
  P56: {
    'store down': async (world, seeds) => {
      world.failCommits = 'unavailable';
      const reply = await pushOne({})(world, seeds);
      world.failCommits = undefined;
      return reply;
    },
  },
  X1: {
    'Sync-Protocol 2': (world) =>
      call(world.port, { path: '/healthz', headers: { 'sync-protocol': '2' } }),
  },
  X2: {
    'Sync-Scope of another': (world) =>
      send(world, { path: '/sync/capabilities', headers: { 'sync-scope': 's2' } }),
  },
  X3: {
    'over 8 MiB stored': pushEnvelope({
      changes: Array.from({ length: 9 }, (_, i) =>
        change({ doc_id: `w${i}`, data: { a: wideList() } }),
      ),
    }),
  },
  X4: {
    'unknown store failure': async (world, seeds) => {
      world.failCommits = 'failed';
      const reply = await pushOne({})(world, seeds);
      world.failCommits = undefined;
      return reply;
    },
  },
  X5: { 'junk mutation_id': pushOne({ mutation_id: 'm'.repeat(65) }) },
  X6: { 'taken unique value': pushOne({ collection: 'notes', data: { email: 'a@example.org' } }) },
  X7: { 'refused by the validator': pushOne({ collection: 'notes', data: { email: 7 } }) },
  X8: {
    vector_clock: pushOne({ vector_clock: {} }),
    on_conflict: pushEnvelope({ on_conflict: 'park' }),
  },
};
