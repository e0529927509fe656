/** A server process whose data outlive it, and somebody who pushes to it. */

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { scratchFolder } from '../../support/process/scratch.ts';
import { ServerProcess } from '../../support/process/server-process.ts';
import { embeddedPlace } from '../../support/process/store-place.ts';
import { tokenFor } from '../../support/process/tokens.ts';
import { pull, push, ZERO_HLC } from '../../support/process/wire.ts';

/** The only scope. */
export const SCOPE = 'red';
/** Enough that what a page asks beside its stream hardly counts in the bytes of a connection. */
const FILLING = 'x'.repeat(10_000);

type Start = (port: number) => Promise<ServerProcess>;

/** See the file's comment. */
export class Site {
  server: ServerProcess;
  readonly token: string;
  readonly #start: Start;
  #pushed = 0;

  private constructor(start: Start, first: { server: ServerProcess; token: string }) {
    this.#start = start;
    ({ server: this.server, token: this.token } = first);
  }

  /** Starts the first one; `env` is more than what it needs. */
  static async open(t: TestContext, env: Readonly<Record<string, string>> = {}): Promise<Site> {
    const { settings: store } = embeddedPlace(t);
    const cwd = scratchFolder(t);
    const start = (port: number) => ServerProcess.start({ store, cwd, port, env });
    const site = new Site(start, { server: await start(0), token: await tokenFor('ann', SCOPE) });
    t.after(() => site.server.kill());
    return site;
  }

  /** Starts a server again on the same data. */
  async start(port: number): Promise<void> {
    this.server = await this.#start(port);
  }

  /** Pushes bundles of five rows, one after another. */
  async push(bundles: number): Promise<void> {
    for (let at = 0; at < bundles; at += 1) {
      const changes = Array.from({ length: 5 }, () => {
        this.#pushed += 1;
        const doc_id = `t${this.#pushed}`;
        const rest = { parent_version: null, mutation_id: `m-${this.#pushed}` };
        return {
          collection: 'tasks',
          operation: 'upsert',
          doc_id,
          data: { FILLING },
          ...rest,
        } as const;
      });
      await push(this.#caller(), changes);
    }
  }

  /** Versions of all rows, in order. */
  async versions(): Promise<string[]> {
    return (await this.#rows()).map(({ version }) => version);
  }

  /** The documents that these rows make, by id. */
  async documents(): Promise<{ doc_id: string; data: unknown }[]> {
    const documents = new Map((await this.#rows()).map(({ doc_id, data }) => [doc_id, data]));
    return [...documents]
      .filter(([, data]) => data !== null)
      .map(([doc_id, data]) => ({ doc_id, data }))
      .sort((a, b) => (a.doc_id < b.doc_id ? -1 : 1));
  }

  async #rows() {
    const { changes = [], has_more } = await pull(this.#caller(), ZERO_HLC);
    assert.equal(has_more, false);
    return changes;
  }

  #caller() {
    return { url: this.server.url, token: this.token, client_id: 'phone' };
  }
}
