/** The demo's documents: movies and airports of `vega-datasets`, as unclean as they are published. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** Names of the demo's collections. */
export const COLLECTIONS = ['airports', 'movies'];

const NUMBER_COLUMNS = ['latitude', 'longitude'];

/**
 * Reads both files. Returns `{documents, remarks}`: documents as `{collection, doc_id, data}`, and one
 * remark for each kind of uncleanness that says what was done about it.
 */
export function readDemoData() {
  const folder = path.dirname(createRequire(import.meta.url).resolve('vega-datasets/package.json'));
  const read = (name) => readFileSync(path.join(folder, 'data', name), 'utf8');
  const movies = JSON.parse(read('movies.json')).map((data, at) => ({
    collection: 'movies',
    doc_id: `movie-${String(at).padStart(4, '0')}`,
    data,
  }));
  const airports = parseCsv(read('airports.csv')).map((record) => ({
    collection: 'airports',
    doc_id: record.iata,
    data: withNumbers(record),
  }));
  const documents = [...movies, ...airports].map(withLegalKeys);
  return {
    documents: documents.map(({ renamed, ...document }) => document),
    remarks: remarksOn(documents),
  };
}

function remarksOn(documents) {
  const movies = documents.filter(({ collection }) => collection === 'movies');
  const airports = documents.filter(({ collection }) => collection === 'airports');
  const count = (list, test) => list.filter(test).length;
  const titles = movies.map(({ data }) => data.Title);
  const nulls = movies.flatMap(({ data }) => Object.values(data).filter((value) => value === null));
  const texts = documents.flatMap(({ data }) => Object.values(data)).filter(isText);
  return [
    `movies have no id and ${titles.length - new Set(titles).size} titles come more than once: doc_id is the place in the file (movie-0000 …)`,
    `airports have an IATA code each: it is the doc_id and stays in the document`,
    `${count(titles, (title) => typeof title === 'number')} titles are numbers and ${count(titles, (title) => title === null)} is null: kept as they are`,
    `${nulls.length} fields of movies are null: kept`,
    `${count(texts, (text) => /[^\x20-\x7e]/.test(text))} texts are not ASCII, most of them wrongly decoded long ago ("AstÈrix"): kept to the byte`,
    `${count(airports, ({ data }) => data.city === 'NA')} airports are in the city "NA": kept`,
    'latitude and longitude are text in the CSV: stored as numbers; quoted fields were unquoted',
    `${count(documents, ({ renamed }) => renamed > 0)} documents had a key with a dot or a leading $: such keys would be renamed`,
  ];
}

function isText(value) {
  return typeof value === 'string';
}

/** The server refuses keys that a database would take for a path or an operator. */
function withLegalKeys(document) {
  let renamed = 0;
  const entries = Object.entries(document.data).map(([key, value]) => {
    const legal = key.replaceAll('.', '_').replace(/^\$+/, '_');
    if (legal !== key) renamed += 1;
    return [legal, value];
  });
  return { ...document, data: Object.fromEntries(entries), renamed };
}

function withNumbers(record) {
  const numbers = NUMBER_COLUMNS.map((column) => [column, Number(record[column])]);
  return { ...record, ...Object.fromEntries(numbers) };
}

/** RFC 4180 without line feeds inside fields, which the file does not have. */
function parseCsv(text) {
  const [names, ...records] = text.trimEnd().split('\n').map(splitLine);
  return records.map((fields) => Object.fromEntries(names.map((name, at) => [name, fields[at]])));
}

function splitLine(line) {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
    quoted === undefined ? plain : quoted.replaceAll('""', '"'),
  );
}

/** One document as text that only depends on its content. */
export function canonicalText({ collection, doc_id, data }) {
  return stable([collection, doc_id, data]);
}

/** SHA-256 over all documents, whatever their order. */
export function digestOf(documents) {
  const hash = createHash('sha256');
  for (const text of documents.map(canonicalText).sort()) hash.update(`${text}\n`);
  return hash.digest('hex');
}

function stable(value) {
  if (Array.isArray(value)) return `[${value.map(stable).join()}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${stable(value[key])}`).join()}}`;
}
