/** Rows L and F of the bad-input catalogue: pull and full. */

import { writeCursor } from '../../../src/core/pull/cursor.ts';
import { nodeSystem } from '../../../src/node-system.ts';
import type { Hlc } from '../../../src/protocol/pure/hlc.ts';
import { bearer } from '../support/world.ts';
import { get, type Input, type Inputs, send, ZERO } from './inputs.ts';

const names = (count: number) => Array.from({ length: count }, (_, i) => `c${i}`).join();

function pull(query: string): Input {
  return get(`/sync/pull?${query}`);
}

function limit(value: string): Input {
  return pull(`since=${ZERO}&limit=${value}`);
}

function full(query: string, scopes = 's1'): Input {
  return (world, { cursor }) =>
    send(world, {
      path: `/sync/full?${query.replace('CURSOR', cursor)}`,
      headers: { authorization: bearer({ scopes }) },
    });
}

function flipped(cursor: string): string {
  return `${cursor.slice(0, 4)}${cursor[4] === 'A' ? 'B' : 'A'}${cursor.slice(5)}`;
}

/** The inputs by row and name. */
export const READ_INPUTS: Inputs = {
  L1: { missing: pull(''), empty: pull('since=') },
  L2: { 'two sinces': pull(`since=${ZERO}&since=${ZERO}`) },
  L3: {
    junk: pull('since=abc'),
    '%00': pull('since=%00'),
    '%ff': pull('since=%ff'),
    '4 kB': pull(`since=${'2'.repeat(4_000)}`),
    'month 13': pull('since=20261301T000000.000Z-0000'),
    'year 0000': pull('since=00000101T000000.000Z-0000'),
    'year 1969': pull('since=19691231T235959.999Z-0000'),
    'a fifth counter digit': pull('since=20260101T000000.000Z-00000'),
  },
  L4: { future: pull('since=29990101T000000.000Z-0000-abcd') },
  L5: {
    'no such row': (world, { t1 }) =>
      send(world, { path: `/sync/pull?since=${t1.slice(0, 25)}-zzzzzzzz` }),
    'another epoch': get(`/sync/pull?since=${ZERO}`, { 'sync-epoch': 'another' }),
  },
  L6: {
    pruned: (world, seeds) =>
      send(world, {
        path: `/sync/pull?since=${seeds.pruned}`,
        headers: { authorization: bearer({ scopes: 's3' }) },
      }),
    'an empty log': (world, seeds) =>
      send(world, {
        path: `/sync/pull?since=${seeds.emptied}`,
        headers: { authorization: bearer({ scopes: 's4' }) },
      }),
  },
  L7: {
    'a flipped byte': (world, { cursor }) =>
      send(world, { path: `/sync/full?collections=tasks&cursor=${flipped(cursor)}` }),
    'another scope': full('collections=tasks&cursor=CURSOR', 's2'),
  },
  L8: { 'since[$gt]': pull(`since[$gt]=${ZERO}`) },
  L9: Object.fromEntries(
    ['0', '-1', '1.5', '0x10', '1e3', '%205', '', 'NaN'].map((text) => [
      `limit=${text}`,
      limit(text),
    ]),
  ),
  L10: { 1001: limit('1001') },
  L11: {
    empty: pull(`since=${ZERO}&collections=`),
    comma: pull(`since=${ZERO}&collections=,`),
    twice: pull(`since=${ZERO}&collections=tasks,tasks`),
    '101 names': pull(`since=${ZERO}&collections=${names(101)}`),
  },
  L12: {
    unknown: pull(`since=${ZERO}&collections=tasks,nowhere`),
    forbidden: pull(`since=${ZERO}&collections=tasks,hidden`),
    'engine collection': pull(`since=${ZERO}&collections=sync_oplog`),
  },
  L13: { unknown: pull(`since=${ZERO}&x=1`) },
  L14: {
    'the prototype': pull(`since=${ZERO}&__proto__=1`),
    constructor: pull(`since=${ZERO}&constructor=1`),
  },
  L16: { user_id: pull(`since=${ZERO}&user_id=bob`) },
  F1: { missing: full('limit=1'), empty: full('collections=') },
  F2: {
    junk: full('collections=tasks&cursor=abc'),
    'junk with a dot': full('collections=tasks&cursor=a.b'),
    long: full(`collections=tasks&cursor=${'a'.repeat(2_000)}.b`),
    empty: full('collections=tasks&cursor='),
    'another list': full('collections=tasks,notes&cursor=CURSOR'),
  },
  F3: {
    expired: (world) => {
      const position = {
        low: ZERO as Hlc,
        collection: 0,
        part: 'documents' as const,
        after: null,
        expires_ms: nodeSystem.clock.now() - 1,
      };
      const binding = { scope_id: 's1', collections: ['tasks'], epoch: 'epoch-1' };
      const tools = { crypto: nodeSystem.crypto, key: 'ab'.repeat(32), now_ms: 0 };
      const cursor = writeCursor(position, binding, tools);
      return send(world, { path: `/sync/full?collections=tasks&cursor=${cursor}` });
    },
  },
  F4: { 0: full('collections=tasks&limit=0'), 5001: full('collections=tasks&limit=5001') },
  F6: {
    HEAD: (world) => send(world, { method: 'HEAD', path: '/sync/full?collections=tasks' }),
  },
  F9: { 'trailer=2': full('collections=tasks&trailer=2'), forbidden: full('collections=hidden') },
};
