/** What the two devices of the demo do, on either store, and how they are compared with it. */

import { digestOf } from './data.mjs';
import { Person } from './person.mjs';
import { SCOPES } from './types.mjs';
import { print, say, step, type } from './talk.mjs';

const WAIT_MS = 240_000;
const LOOK_EVERY_MS = 100;

/** Two devices with tokens of their own, which sync for the first time. */
export async function firstSync(server, url) {
  const devices = [];
  for (const name of ['ada', 'ben']) {
    type(`npx offline-sync token --actor ${name} --scope ${SCOPES.devices}`);
    const device = new Person(name, url, server.token(name, SCOPES.devices));
    await device.sync();
    say(`${name}'s device has ${device.documents().length} documents by ${device.ways()}`);
    devices.push(device);
  }
  const [ada] = devices;
  const movie = ada.client.get('movies', 'movie-0000');
  const { Title, released, ticket_price, nearest_airport } = movie;
  say('dates, references and prices keep their types (Extended JSON):');
  print(JSON.stringify({ Title, released, ticket_price, nearest_airport }));
  const hidden = ada.of('movies').filter(({ data }) => data.circuit === SCOPES.others).length;
  say(
    `movies of the scope "${SCOPES.others}" that a device of "${SCOPES.devices}" sees: ${hidden}`,
  );
  return devices;
}

/** Edits without a network. */
export async function editOffline([ada, ben]) {
  const movies = ada.of('movies');
  await ada.edit(movies.slice(100, 300), (data) => ({ ...data, watched: true }));
  await ada.edit(movieOf(ada, 'movie-1000'), (data) => ({ ...data, Title: 'Renamed offline' }));
  say('ada marks 200 movies as watched and renames movie-1000');
  const nowhere = ben.of('airports').filter(({ data }) => data.city === 'NA');
  for (const { doc_id } of nowhere) await ben.remove('airports', doc_id);
  await ben.edit(movies.slice(250, 350), (data) => ({ ...data, notes: ['to see', 'again'] }));
  say(`ben deletes the ${nowhere.length} airports in "NA" and writes notes on 100 movies`);
  say('50 of these movies are edited by both');
}

function movieOf(device, doc_id) {
  return device.of('movies').filter((one) => one.doc_id === doc_id);
}

/** Both come back; each sync brings the other's edits. Waits until `settled` says so. */
export async function meet(devices, settled = async () => true) {
  const until = performance.now() + WAIT_MS;
  do {
    for (const device of [...devices, devices[0]]) await device.sync();
    if (await settled()) break;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  } while (performance.now() < until);
  for (const { name, client, refused } of devices) {
    say(`${name}: ${client.pending} edits left to send, ${refused.length} refused`);
  }
}

/** True when the devices hold what the store holds, to the byte. */
export function compare(devices, stored) {
  step('Compare');
  const wanted = digestOf(stored);
  say(`${'store'.padEnd(5)} ${wanted} ${stored.length} documents`);
  return devices
    .map((device) => {
      const { name, client, refused } = device;
      const own = device.documents();
      const digest = digestOf(own);
      say(`${name.padEnd(5)} ${digest} ${own.length} documents`);
      return digest === wanted && client.pending === 0 && refused.length === 0;
    })
    .every(Boolean);
}

/** Places of everything that devices edited. */
export function editedBy(devices) {
  return new Set(devices.flatMap(({ edited }) => [...edited]));
}
