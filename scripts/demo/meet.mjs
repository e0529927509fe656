/**
 * The story "meet": three devices share some 6,500 documents, edit them offline, meet a restarted
 * server and a pruned log, and end equal to the byte.
 */

import { randomBytes } from 'node:crypto';
import { COLLECTIONS, canonicalText, digestOf, readDemoData } from './data.mjs';
import { Person, placeOf } from './person.mjs';
import { DemoServer } from './server.mjs';
import { openDemoStore } from './store.mjs';
import { end, say, step } from './talk.mjs';

const SCOPE = 'cinema';
/** Rows of the log that pruning leaves. */
const KEPT_ROWS = 10;

/** Tells the story on the store of `mongo`, or on the embedded one. True when all ended equal. */
export async function tell({ folder, mongo }) {
  const store = await openDemoStore(mongo, folder);
  const server = new DemoServer({ ...SETTINGS, ...store.settings }, folder);
  try {
    return await meet(store, server);
  } finally {
    await server.stop();
    await store.close();
  }
}

const SETTINGS = {
  SYNC_COLLECTIONS: COLLECTIONS.join(),
  SYNC_AUTH__SECRET: randomBytes(32).toString('hex'),
  SYNC_AUTH__SCOPE_ID_FIELD: 'scope_id',
  SYNC_AUTO_INIT: 'true',
};

async function meet(store, server) {
  const { documents, remarks } = readDemoData();
  step(`Read ${documents.length} documents of vega-datasets: ${countsOf(documents)}`);
  for (const remark of remarks) say(remark);

  step(`Start the server on the ${store.name}`);
  const url = await server.start();
  say(`listening on ${url}`);
  const [ada, ben, cleo] = ['ada', 'ben', 'cleo'].map(
    (name) => new Person(name, url, server.token(name, SCOPE)),
  );
  await cleo.sync();
  say('cleo syncs once while there is nothing: what comes next reaches her by pull');

  await bringIn(documents, [ada, ben, cleo]);
  const touched = await editOffline([ada, ben, cleo]);
  await returnOneByOne([ada, ben, cleo], { store, server });
  return compare([ada, ben, cleo], { store, documents, touched });
}

async function bringIn(documents, [ada, ben, cleo]) {
  step('Ada puts all documents into her client and pushes them');
  for (const { collection, doc_id, data } of documents) {
    await ada.client.put(collection, doc_id, data);
  }
  await ada.sync();
  say(`${ada.requests} requests, ${ada.client.pending} edits left to send`);

  step('Ben comes with an empty client, Cleo with an old one');
  await ben.sync();
  await cleo.sync();
  for (const one of [ben, cleo]) {
    say(`${one.name} has ${one.documents().length} documents by ${one.ways()}`);
  }
}

/** Returns the places of all documents that somebody edited. */
async function editOffline([ada, ben, cleo]) {
  step('All three are offline and edit');
  const movies = ada.of('movies');
  const airports = ada.of('airports');
  const odd = movies.filter(({ data }) => typeof data.Title === 'number');
  await ada.edit(odd, (data) => ({ ...data, Title: String(data.Title) }));
  await ada.edit(movies.slice(100, 400), (data) => ({ ...data, watched: true }));
  say(`ada makes ${odd.length} titles texts and marks 300 movies as watched`);

  const nowhere = airports.filter(({ data }) => data.city === 'NA');
  for (const { doc_id } of nowhere) await ben.remove('airports', doc_id);
  await ben.edit(movies.slice(300, 600), (data) => ({ ...data, notes: ['to see', 'again'] }));
  say(`ben deletes the ${nowhere.length} airports in "NA" and writes notes on 300 movies`);

  await cleo.edit(nowhere.slice(0, 5), (data) => ({
    ...data,
    city: null,
    checked: { by: 'cleo' },
  }));
  await cleo.edit(movies.slice(350, 380), (data) => ({ ...data, Title: `${data.Title} (cut)` }));
  say('cleo corrects 5 of those airports and renames 30 movies that both others have edited');
  return new Set([ada, ben, cleo].flatMap(({ edited }) => [...edited]));
}

async function returnOneByOne([ada, ben, cleo], { store, server }) {
  step('Ada and Ben come back, Cleo stays away');
  await Promise.all([ada.sync(), ben.sync()]);
  await ada.sync();
  say(`${ada.client.pending + ben.client.pending} edits left to send`);

  step('The server restarts, and its log is pruned meanwhile');
  await server.stop();
  const pruned = await store.prune(KEPT_ROWS);
  await server.start();
  say(`${pruned} rows of the log are gone, ${KEPT_ROWS} are left`);

  step('Cleo comes back with an old cursor and her own edits');
  await cleo.sync();
  say(
    `the server answered ${cleo.stale.join() || 'nothing special'}; cleo caught up by ${cleo.ways()}`,
  );
  for (const one of [ada, ben, cleo]) await one.sync();
}

async function compare(people, { store, documents, touched }) {
  step('Compare');
  const stored = await store.read();
  const wanted = digestOf(stored);
  say(`store ${wanted} ${stored.length} documents`);
  const equal = people.map((one) => {
    const digest = digestOf(one.documents());
    say(`${one.name.padEnd(5)} ${digest} ${one.documents().length} documents`);
    return digest === wanted && one.client.pending === 0 && one.refused.length === 0;
  });
  const texts = new Set(stored.map(canonicalText));
  const untouched = documents.filter((document) => !touched.has(placeOf(document)));
  const kept = untouched.filter((document) => texts.has(canonicalText(document))).length;
  say(`${kept} of the ${untouched.length} documents that nobody edited are as they were read`);
  say(`${await store.conflicts()} conflicts were decided by the later edit; both sides are kept`);
  const good = equal.every(Boolean) && kept === untouched.length;
  return end(good, 'All are equal to the byte.');
}

function countsOf(documents) {
  return COLLECTIONS.map((name) => {
    const count = documents.filter(({ collection }) => collection === name).length;
    return `${count} ${name}`;
  }).join(', ');
}
