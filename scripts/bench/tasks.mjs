/** What every scenario pushes. */

import { randomUUID } from 'node:crypto';

/** A task of about 400 bytes. */
export function newTask() {
  const id = randomUUID();
  return {
    id,
    data: {
      title: `Call ${id.slice(0, 8)} about the delivery`,
      done: false,
      priority: 3,
      tags: ['office', 'week', id.slice(0, 4)],
      notes: 'x'.repeat(180),
      owner: { name: 'Ada Okafor', email: 'ada@example.com' },
      created: '2026-05-02T12:00:00.000Z',
    },
  };
}

/** A push body that creates the tasks; each id is its own mutation id, unless `anonymous`. */
export function pushBody(tasks, { anonymous = false } = {}) {
  return {
    client_id: 'bench',
    changes: tasks.map(({ id, data }) => ({
      collection: 'tasks',
      operation: 'upsert',
      doc_id: id,
      data,
      ...(anonymous ? {} : { mutation_id: id }),
    })),
  };
}

/** Pushes all bodies through an engine by `callers` in closed loop, over `scopes` scopes in turn. */
export async function pushAll(engine, bodies, { callers, scopes }) {
  let next = 0;
  const caller = async () => {
    for (;;) {
      const place = next;
      next += 1;
      const tasks = bodies[place];
      if (tasks === undefined) return;
      const scope = `s${place % scopes}`;
      const { body } = await engine.push(engine.context(scope), pushBody(tasks));
      if (body.results.some((result) => result.status !== 'accepted')) throw new Error('refused');
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
}
