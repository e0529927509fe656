/** Reference clients on a fake server, and what they show, sent and saved. */

import {
  type ClientChange,
  type ClientOptions,
  type ClientState,
  SyncClient,
} from '../../../examples/minimal-client.mjs';
import type { FakeServer } from './fake-server.ts';

/** Where the fake server pretends to be. */
export const SERVER_URL = 'http://sync.test';

/** A client of tasks and notes. */
export function connect(
  server: FakeServer,
  more: Partial<ClientOptions> = {},
  saved?: ClientState,
): SyncClient {
  const options = { url: SERVER_URL, collections: ['tasks', 'notes'], fetch: server.fetch };
  return new SyncClient({ ...options, ...more }, saved);
}

/** A client that saves, and a copy of the state that it saved last. */
export function savingClient(
  server: FakeServer,
  saved?: ClientState,
): { readonly client: SyncClient; readonly kept: { state?: ClientState } } {
  const kept: { state?: ClientState } = {};
  const save = (state: ClientState): void => {
    kept.state = JSON.parse(JSON.stringify(state)) as ClientState;
  };
  return { client: connect(server, { save }, saved), kept };
}

/** What a client shows, by id. */
export function view(client: SyncClient, collection = 'tasks'): Record<string, unknown> {
  return Object.fromEntries(client.list(collection).map(({ doc_id, data }) => [doc_id, data]));
}

/** Ids in the base copy of a saved state. */
export function baseOf(state: ClientState | undefined, collection = 'tasks'): string[] {
  return state?.base.find(([name]) => name === collection)?.[1].map(([id]) => id) ?? [];
}

/** The changes of one push request as they arrived; a negative number counts from the last. */
export function pushed(server: FakeServer, request: number): readonly ClientChange[] {
  return server.requests('push').at(request)?.body?.changes ?? [];
}
