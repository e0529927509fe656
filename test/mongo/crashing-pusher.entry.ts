/** A process that pushes to a standalone MongoDB and kills itself at a statement: see `troubled`. */

import { writeSync } from 'node:fs';
import process from 'node:process';
import type { PushRequest } from '../../src/protocol/push.ts';
import { connect } from '../../src/storage/mongo/topology.ts';
import { type CrashPoint, troubled } from '../support/mongo-crash.ts';
import { engineOver, openStandalone, push } from './standalone-world.ts';

const [uri, database, point, pushes] = process.argv.slice(2) as [string, string, string, string];

const connection = await connect(uri, database, 'off');
const die = (): Promise<never> => {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
};
const store = await openStandalone(troubled(connection, JSON.parse(point) as CrashPoint, die));
const engine = await engineOver(store);
const [first, ...others] = JSON.parse(pushes) as PushRequest[];
// The others build on the first one, whatever order they come in; together they make groups.
if (first !== undefined) await pushAndTell(first);
await Promise.all(others.map(pushAndTell));
await store.close();

async function pushAndTell(request: PushRequest): Promise<void> {
  const results = await push(engine, request);
  // Written before anything else can happen: what stands here was answered.
  writeSync(1, `${JSON.stringify(results)}\n`);
}
