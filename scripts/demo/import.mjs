/**
 * The story "adopt" on the embedded store, which holds only what entered through the engine: the same
 * documents come in from exported files.
 */

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { compare, editOffline, firstSync, meet } from './devices.mjs';
import { DemoServer } from './server.mjs';
import { openDemoStore } from './store.mjs';
import { end, print, say, step } from './talk.mjs';
import { readTypedData, SCOPES } from './types.mjs';

/** Tells the story in a folder. True when all ended equal. */
export async function tell({ folder }) {
  const server = new DemoServer({ OFFLINE_SYNC_SECRET: randomBytes(32).toString('hex') }, folder);
  try {
    return await importAndMeet(server, folder);
  } finally {
    await server.stop();
  }
}

async function importAndMeet(server, folder) {
  const documents = readTypedData();
  step(`${documents.length} documents are in files, as mongoexport writes them`);
  const files = writeFiles(documents, folder);
  print(files[1].first);

  step('Write sync.config.yaml');
  configure(folder);

  step('Bring them in. The dry run judges every line and writes nothing');
  await server.run('init', { show: 2 });
  await server.run(`import movies movies.ndjson --scope ${SCOPES.devices} --dry-run`, { show: 1 });
  for (const { collection, name, scope_id } of files) {
    await server.run(`import ${collection} ${name} --scope ${scope_id}`, { show: 1 });
  }
  say('the same once more: a line that is known already writes nothing');
  await server.run(`import airports airports.ndjson --scope ${SCOPES.devices}`, { show: 1 });

  step(
    'Serve, with two devices. They are offline-capable clients of one file: examples/minimal-client.mjs',
  );
  const url = await server.start();
  const devices = await firstSync(server, url);

  step('Both devices are offline and edit');
  await editOffline(devices);

  step('The devices come back');
  await meet(devices);
  await server.stop();
  const store = await openDemoStore(undefined, folder);
  say(`${await store.conflicts()} conflicts were won by the later edit; the other side is kept`);
  const equal = compare(devices, (await store.read()).filter(isVisible));
  return end(equal, 'All are equal to the byte.');
}

function isVisible({ data }) {
  return data.circuit !== SCOPES.others;
}

/** One file for each collection and scope. */
function writeFiles(documents, folder) {
  const visible = documents.filter(isVisible);
  const festival = documents.filter((one) => !isVisible(one));
  const of = (list, collection) => list.filter((one) => one.collection === collection);
  const parts = [
    { collection: 'airports', name: 'airports.ndjson', list: of(visible, 'airports') },
    { collection: 'movies', name: 'movies.ndjson', list: of(visible, 'movies') },
    { collection: 'movies', name: 'festival.ndjson', list: festival, scope_id: SCOPES.others },
  ];
  return parts.map(({ collection, name, list, scope_id = SCOPES.devices }) => {
    const lines = list.map(({ doc_id, data }) => {
      const _id = collection === 'airports' ? { $oid: doc_id } : doc_id;
      return JSON.stringify({ _id, ...data });
    });
    writeFileSync(path.join(folder, name), `${lines.join('\n')}\n`);
    say(`${name}: ${lines.length} documents`);
    return { collection, name, scope_id, first: lines[0] };
  });
}

function configure(folder) {
  const lines = [
    'store: embedded',
    'data_dir: ./data',
    'collections:',
    '  airports: {id_type: objectid}',
    '  movies: {id_type: string}',
    'auth:',
    '  secret: $'.concat('{OFFLINE_SYNC_SECRET}'),
    '  scope_id_field: scope_id',
  ];
  writeFileSync(path.join(folder, 'sync.config.yaml'), `${lines.join('\n')}\n`);
  for (const line of lines) print(line);
}
