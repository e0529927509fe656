/** The shape of the bad-input catalogue's inputs, and the requests that most of them are made of. */

import { rawToken } from '../../auth/raw-token.ts';
import { asJson, type Call, call, type Reply } from '../support/call.ts';
import { sendRaw } from '../support/raw-socket.ts';
import { bearer, claims, type World } from '../support/world.ts';

/** What the store holds before the catalogue runs. */
export interface Seeds {
  /** Version of `tasks/t1` and of `tasks/t2` in scope s1. */
  readonly t1: string;
  readonly t2: string;
  /** A version of scope s3 whose row was pruned, and one of scope s4, which has no row left. */
  readonly pruned: string;
  readonly emptied: string;
  /** Cursor of a walk over `tasks` in scope s1. */
  readonly cursor: string;
}

/** One bad input: sends itself. */
export type Input = (world: World, seeds: Seeds) => Promise<Reply>;

/** Inputs by catalogue row and name; `test/bad-input/codes.json` has the same rows and names. */
export type Inputs = Readonly<Record<string, Readonly<Record<string, Input>>>>;

/** The first `since`. */
export const ZERO = '19700101T000000.000Z-0000';

/** A request with a good token unless the call brings its own. */
export function send(world: World, request: Call): Promise<Reply> {
  return call(world.port, { ...request, headers: { authorization: bearer(), ...request.headers } });
}

/** A request to the cheapest authenticated path with this token. */
export function withToken(token: string | undefined): Input {
  return (world) =>
    call(world.port, {
      path: '/sync/capabilities',
      ...(token === undefined ? {} : { headers: { authorization: token } }),
    });
}

/** A correctly signed token with these claims or payload bytes, and this header. */
export function signed(payload: Record<string, unknown> | string, header?: unknown): Input {
  const whole = typeof payload === 'string' ? payload : claims(payload);
  return withToken(
    `Bearer ${rawToken({ payload: whole, ...(header === undefined ? {} : { header }) })}`,
  );
}

/** A GET with a good token. */
export function get(path: string, headers: Record<string, string> = {}): Input {
  return (world) => send(world, { path, headers });
}

/** Bytes as they are. */
export function raw(bytes: string): Input {
  return async (world) => parseReply(await sendRaw(world.port, bytes));
}

/** The first answer in what a socket received; status 0 when there is none. */
export function parseReply(text: string): Reply {
  const body = text.slice(text.indexOf('\r\n\r\n') + 4);
  return { status: Number(text.slice(9, 12)), headers: {}, text: body, json: asJson(body) };
}

/** A push body as a text or bytes. */
export function pushText(
  body: string | Uint8Array,
  options: { headers?: Record<string, string>; chunked?: boolean } = {},
): Input {
  return (world) => {
    const { headers = {}, chunked = false } = options;
    const type = { 'content-type': 'application/json' };
    return send(world, {
      method: 'POST',
      path: '/sync/push',
      body,
      chunked,
      headers: { ...type, ...headers },
    });
  };
}

/** A push of an envelope; what is named replaces a part of a good one. */
export function pushEnvelope(changes: Record<string, unknown>): Input {
  return pushText(JSON.stringify({ client_id: 'c1', changes: [], ...changes }));
}

/** A push of these changes. */
export function pushChanges(...changes: unknown[]): Input {
  return pushEnvelope({ changes });
}

/** A change to `tasks/new`; what is named replaces a part of a good one. */
export function change(parts: Record<string, unknown> = {}): Record<string, unknown> {
  return { collection: 'tasks', operation: 'upsert', doc_id: 'new', data: { a: 1 }, ...parts };
}

/** A push of one change with these parts. */
export function pushOne(parts: Record<string, unknown>): Input {
  return pushChanges(change(parts));
}

/** A push of one change whose data is this JSON text, for what no JavaScript value can say. */
export function pushData(data: string, doc_id: string): Input {
  const { data: _, ...parts } = change({ doc_id });
  const text = JSON.stringify({ client_id: 'c1', changes: [parts] });
  return pushText(`${text.slice(0, -3)},"data":${data}}]}`);
}

/** A result of a change as far as the catalogue looks at it. */
export interface SeenResult {
  readonly status: string;
  readonly code: string | null;
  readonly resolution: string | null;
  readonly new_version: string | null;
  readonly error: string | null;
  readonly duplicate?: boolean;
  readonly details?: { readonly issues: readonly { readonly code: string }[] };
}

/** The results of a push's answer; none for any other answer. */
export function resultsOf(reply: Reply): readonly SeenResult[] {
  return (reply.json?.['results'] as readonly SeenResult[] | undefined) ?? [];
}
