/**
 * The story "adopt" on MongoDB: an application's database gets offline sync while the application
 * goes on, and is given back at the end.
 */

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Application } from './application.mjs';
import { compare, editedBy, editOffline, firstSync, meet } from './devices.mjs';
import { DemoServer } from './server.mjs';
import { end, print, say, step } from './talk.mjs';
import { readTypedData, SCOPES } from './types.mjs';

/** Tells the story on the server `mongo`. True when all ended equal and nothing was left behind. */
export async function tell({ folder, mongo }) {
  const application = new Application(mongo.uri);
  const secret = randomBytes(32).toString('hex');
  const env = { MONGODB_URI: mongo.uri, OFFLINE_SYNC_SECRET: secret };
  const server = new DemoServer(env, folder);
  try {
    return await adopt({ application, server, folder, kind: mongo.kind });
  } finally {
    await server.stop();
    await application.close();
  }
}

async function adopt(world) {
  const { application, server } = world;
  const before = await beAnApplication(world);
  configure(world);

  step('See what would happen. Nothing is changed yet');
  await server.run('migrate --dry-run');

  step('Set up, and give every document a version. The application goes on meanwhile');
  await server.run('init', { show: 2 });
  const writes = await application.work(server.run('migrate'));
  say(
    `the application made ${writes} updates meanwhile, and inserts and deletes; none was stopped`,
  );

  step(
    'Serve, with two devices. They are offline-capable clients of one file: examples/minimal-client.mjs',
  );
  const url = await server.start();
  const devices = await firstSync(server, url);

  step('Both devices are offline and edit. The application goes on with its plain driver');
  await editOffline(devices);
  await application.workMeanwhile();
  say('the application changes 40 prices, one of them of movie-1000, deletes 10 movies, adds one');

  step('The devices come back');
  await meet(devices, async () =>
    devices.every(({ client }) => client.get('movies', 'premiere') !== undefined),
  );
  const { rows, conflicts } = await application.counts();
  say(`${rows} writes of the application reached the devices (capture: adopt)`);
  say(
    `${conflicts} conflicts were won by the later edit; the other side is kept in sync_conflicts`,
  );
  say('every version, hash and head is as it must be:');
  await server.run('migrate --verify', { show: 1 });
  const equal = compare(devices, await application.documents(SCOPES.devices));

  await server.stop();
  const given = await giveBack(world, { before, devices });
  return end(equal && given, 'All are equal to the byte, and nothing of offline-sync is left.');
}

async function beAnApplication({ application, kind }) {
  const documents = readTypedData();
  step(`An application has ${documents.length} documents in its MongoDB (${kind})`);
  const movie = await application.importPlain(documents);
  say('imported with the plain driver: no field and no collection of offline-sync anywhere');
  const { _id, Title, released, ticket_price, nearest_airport } = movie;
  print(`movies  {_id: '${_id}', Title: '${Title}', released: ${released.toISOString()},`);
  print(
    `         ticket_price: ${ticket_price}, nearest_airport: ObjectId('${nearest_airport}'), …}`,
  );
  return application.dump();
}

function configure({ application, folder }) {
  step('Write sync.config.yaml: which collections, what their ids are, who may see what');
  const lines = [
    'mongodb_uri: $'.concat('{MONGODB_URI}'),
    `database_name: ${application.name}`,
    'collections:',
    `  airports: {id_type: objectid, scope: ${SCOPES.devices}}`,
    '  movies: {id_type: string, scope_field: circuit, capture: adopt}',
    'auth:',
    '  secret: $'.concat('{OFFLINE_SYNC_SECRET}'),
    '  scope_id_field: scope_id',
  ];
  writeFileSync(path.join(folder, 'sync.config.yaml'), `${lines.join('\n')}\n`);
  for (const line of lines) print(line);
}

async function giveBack({ application, server }, { before, devices }) {
  step('Leave again');
  const last = await application.dump();
  await server.run('init --remove --yes', { show: 1 });
  const after = await application.dump();
  const edited = new Set([...application.edited, ...editedBy(devices)]);
  const untouched = [...before.bytes.keys()].filter((place) => !edited.has(place));
  const same = untouched.filter((place) => after.bytes.get(place) === before.bytes.get(place));
  say(
    `${same.length} of the ${untouched.length} documents that nobody edited are as before init, byte for byte`,
  );
  const kept = [...last.content].filter(([place, text]) => after.content.get(place) === text);
  say(
    `${kept.length} of all ${last.content.size} documents have the content that they had while serving`,
  );
  const layout = after.layout === before.layout;
  say(`collections, indexes and options ${layout ? 'are as before init' : 'DIFFER'}`);
  const stamps = [...after.bytes].length === last.content.size;
  return same.length === untouched.length && kept.length === last.content.size && layout && stamps;
}
