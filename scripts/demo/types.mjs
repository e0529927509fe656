/**
 * The demo's documents with the types that real databases hold: Dates, ObjectIds that refer to other
 * documents, Decimal128 prices. In Extended JSON, the form of the wire and of exported files.
 */

import { createHash } from 'node:crypto';
import { readDemoData } from './data.mjs';

/** The scope of the devices, and the one of documents that they must never see. */
export const SCOPES = { devices: 'cinema', others: 'festival' };

const FESTIVAL_GENRES = ['Documentary', 'Concert/Performance'];

/** Airports and movies as `{collection, doc_id, data}`. */
export function readTypedData() {
  const { documents } = readDemoData();
  const airports = documents.filter(({ collection }) => collection === 'airports').map(toAirport);
  const movies = documents.filter(({ collection }) => collection === 'movies');
  return [...airports, ...movies.map((one, index) => toMovie(one, index, airports))];
}

function toAirport({ collection, doc_id, data }, index) {
  const landing_fee = { $numberDecimal: (10 + (index % 900) / 4).toFixed(2) };
  return { collection, doc_id: objectIdOf(`airport ${doc_id}`), data: { ...data, landing_fee } };
}

function toMovie({ collection, doc_id, data }, index, airports) {
  const { 'Release Date': text, ...rest } = data;
  const time = Date.parse(`${text} UTC`);
  const festival = FESTIVAL_GENRES.includes(data['Major Genre']);
  return {
    collection,
    doc_id,
    data: {
      ...rest,
      released: Number.isNaN(time) ? null : { $date: new Date(time).toISOString() },
      ticket_price: { $numberDecimal: (5 + (index % 1000) / 100).toFixed(2) },
      nearest_airport: { $oid: airports[index % airports.length].doc_id },
      circuit: festival ? SCOPES.others : SCOPES.devices,
    },
  };
}

/** An ObjectId that is the same in each demo. */
export function objectIdOf(text) {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}
