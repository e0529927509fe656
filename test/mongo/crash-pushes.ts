/** What the crash tests push: every kind of write that a plan can hold, alone and in groups. */

import { formatHlc, type Hlc } from '../../src/protocol/pure/hlc.ts';
import type { PushRequest } from '../../src/protocol/push.ts';

/** A stamp of the devices, some time before now. */
function stamp(base_ms: number, after_ms: number): Hlc {
  return formatHlc({ p: base_ms + after_ms, c: 0, node: 'device' });
}

function upsert(mutation_id: string, doc_id: string, more: Record<string, unknown>) {
  return { collection: 'tasks', doc_id, operation: 'upsert', mutation_id, ...more };
}

/** What is there before: current documents, a deleted one, and one with a unique value. */
export function earlierPush(base_ms: number): PushRequest {
  const change_version = stamp(base_ms, 0);
  const there = ['a', 'b', 'c', 'd', 'gone', 'stays'].map((doc_id) =>
    upsert(`before-${doc_id}`, doc_id, { data: { title: doc_id, n: 1.5 }, change_version }),
  );
  return { client_id: 'client-0', changes: there };
}

/** The delete of the document that the pushes bring back. */
export function earlierDelete(base_ms: number): PushRequest {
  const change_version = stamp(base_ms, 1);
  return {
    client_id: 'client-0',
    changes: [{ ...upsert('before-delete', 'gone', { change_version }), operation: 'delete' }],
  };
}

/**
 * The pushes under which a process dies: the first alone, then the others at the same time. They
 * hold new, replaced, deleted and resurrected documents, one that a foreign writer changed, a later
 * stamp of equal content (a document without a row), a conflict, and two bundles.
 */
export function crashPushes(base_ms: number, versionOf: (doc_id: string) => Hlc): PushRequest[] {
  const at = (after_ms: number) => ({ change_version: stamp(base_ms, after_ms) });
  return [
    {
      client_id: 'client-1',
      changes: [
        upsert('m-a', 'a', { data: { title: 'A' }, parent_version: versionOf('a'), ...at(10) }),
        upsert('m-b', 'b', { operation: 'delete', parent_version: versionOf('b'), ...at(11) }),
        upsert('m-c', 'c', { data: { title: 'C' }, parent_version: versionOf('c'), ...at(12) }),
        upsert('m-e', 'e', { data: { title: 'E' }, ...at(13) }),
        upsert('m-gone', 'gone', { data: { title: 'back' }, ...at(14) }),
      ],
    },
    {
      client_id: 'client-2',
      changes: [
        upsert('m-same', 'd', {
          data: { title: 'd', n: 1.5 },
          parent_version: versionOf('d'),
          ...at(20),
        }),
      ],
    },
    {
      client_id: 'client-3',
      atomic: 'bundle',
      changes: [
        upsert('m-lost', 'a', {
          data: { title: 'late' },
          parent_version: versionOf('a'),
          ...at(5),
        }),
        upsert('m-f', 'f', { data: { title: 'F' }, ...at(31) }),
        { ...upsert('m-note', 'n', { data: { text: 'note' }, ...at(32) }), collection: 'notes' },
      ],
    },
    {
      client_id: 'client-4',
      changes: [upsert('m-e2', 'e', { operation: 'delete', ...at(40) })],
    },
  ];
}
