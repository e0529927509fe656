/** The people of the demo: reference clients with a name, and what happened to them. */

import { SyncClient } from '../../examples/minimal-client.mjs';
import { COLLECTIONS } from './data.mjs';

/** A reference client with a name, and what happened to it. */
export class Person {
  requests = 0;
  stale = [];
  edited = new Set();
  refused = [];
  #ways = new Set();

  constructor(name, url, token) {
    this.name = name;
    this.client = new SyncClient({
      url,
      collections: COLLECTIONS,
      token,
      clientId: `demo-${name}`,
      fetch: (target, init) => this.#fetch(target, init),
      onRejected: (_change, result) => this.refused.push(result),
    });
  }

  async sync() {
    this.#ways.clear();
    this.requests = 0;
    await this.client.sync();
  }

  /** How the last sync got its documents. */
  ways() {
    return [...this.#ways].join(' and ');
  }

  of(collection) {
    const found = this.client.list(collection).map((one) => ({ collection, ...one }));
    return found.sort((a, b) => (a.doc_id < b.doc_id ? -1 : 1));
  }

  documents() {
    return COLLECTIONS.flatMap((collection) => this.of(collection));
  }

  async edit(documents, change) {
    for (const { collection, doc_id } of documents) {
      await this.client.put(collection, doc_id, change(this.client.get(collection, doc_id)));
      this.edited.add(placeOf({ collection, doc_id }));
    }
  }

  async remove(collection, doc_id) {
    await this.client.remove(collection, doc_id);
    this.edited.add(placeOf({ collection, doc_id }));
  }

  async #fetch(target, init) {
    this.requests += 1;
    const response = await fetch(target, init);
    const { pathname } = new URL(target);
    if (pathname.endsWith('/full')) this.#ways.add('full resync');
    if (pathname.endsWith('/pull')) {
      const { reason } = await response.clone().json();
      if (reason === undefined) this.#ways.add('pull');
      else this.stale.push(reason);
    }
    return response;
  }
}

/** Where a document is, as one text. */
export function placeOf({ collection, doc_id }) {
  return `${collection}/${doc_id}`;
}
