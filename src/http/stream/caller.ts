/** Who is at the other end of a connection, and how that is proven again. */

import type { IncomingMessage } from 'node:http';
import type { Access, AskedRequest, Identity } from '../../core/ports/access.ts';
import { SyncError } from '../../protocol/errors.ts';
import { HEADER_EPOCH, HEADER_SCOPE } from '../../protocol/pure/headers.ts';
import { checkFollows, chooseScope } from '../middleware/authenticate.ts';

/** What access is asked of: the headers of the handshake, with the newest token. */
export class Caller {
  readonly #access: Access;
  readonly #headers: readonly (readonly [string, string])[];
  readonly #url: string;
  readonly #rest: { readonly scope: string | undefined; readonly epoch: string | undefined };
  #authorization: string | undefined;
  #identity: Identity | undefined;

  /** `token` is one that stood in the address. */
  constructor(access: Access, request: IncomingMessage, token: string | undefined) {
    const { headers, rawHeaders } = request;
    this.#access = access;
    this.#authorization = token === undefined ? headers.authorization : `Bearer ${token}`;
    this.#headers = keptHeaders(rawHeaders);
    this.#url = `http://${headers.host}/sync/stream`;
    this.#rest = { scope: text(headers, HEADER_SCOPE), epoch: text(headers, HEADER_EPOCH) };
  }

  get hasToken(): boolean {
    return this.#authorization !== undefined;
  }

  /** Undefined = not known yet. */
  get identity(): Identity | undefined {
    return this.#identity;
  }

  /** The history that the handshake named. */
  get epoch(): string | undefined {
    return this.#rest.epoch;
  }

  /**
   * Asks at the handshake. Without a token the caller may be known by something else, or will send
   * one in a message: false then. A bad token throws.
   */
  async open(): Promise<boolean> {
    try {
      this.#identity = await this.#ask(this.#authorization);
      return true;
    } catch (error) {
      const canFollow = this.#authorization === undefined && isCode(error, 'authentication_failed');
      if (canFollow) return false;
      throw error;
    }
  }

  /** Takes a token of a message. Throws when it is bad or somebody else's: the connection then ends. */
  async present(token: string): Promise<Identity> {
    const authorization = `Bearer ${token}`;
    const identity = await this.#ask(authorization);
    const before = this.#identity;
    if (before !== undefined && before.actor_id !== identity.actor_id) {
      throw new SyncError('scope_forbidden', { details: { reason: 'other_actor' } });
    }
    this.#authorization = authorization;
    this.#identity = identity;
    return identity;
  }

  /** Asks again with the same proof. What cannot be asked now is no refusal. */
  async recheck(): Promise<void> {
    const before = this.#identity;
    if (before === undefined) return;
    try {
      const identity = await this.#ask(this.#authorization);
      if (identity.actor_id !== before.actor_id) throw new SyncError('authentication_failed');
      this.#identity = identity;
    } catch (error) {
      if (isCode(error, 'authentication_failed') || isCode(error, 'scope_missing')) throw error;
    }
  }

  /** The scope to work in [WS-7]. Throws 403. */
  chooseScope(wanted: string | undefined): string {
    return chooseScope(this.#known(), wanted ?? this.#rest.scope ?? null);
  }

  /** Throws 403 when the caller may not follow this scope or one of the collections any more. */
  checkStill(scope_id: string, collections: readonly string[]): void {
    checkFollows(this.#access, this.#known(), { scope_id, collections });
  }

  #known(): Identity {
    if (this.#identity === undefined) throw new SyncError('scope_missing');
    return this.#identity;
  }

  #ask(authorization: string | undefined): Promise<Identity> {
    return this.#access.authenticate(authorization, this.#request(authorization));
  }

  /** A real request, because an application's own access may look at more than headers. */
  #request(authorization: string | undefined): AskedRequest {
    const headers = new Headers(this.#headers as [string, string][]);
    if (authorization !== undefined) headers.set('authorization', authorization);
    return new Request(this.#url, { headers });
  }
}

/** What only concerns the handshake is not kept for the life of the connection. */
function keptHeaders(rawHeaders: readonly string[]): (readonly [string, string])[] {
  const kept: (readonly [string, string])[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (!/^(sec-websocket-.*|upgrade|connection|authorization)$/i.test(name)) {
      kept.push([name, rawHeaders[at + 1] as string]);
    }
  }
  return kept;
}

function text(headers: IncomingMessage['headers'], name: string): string | undefined {
  const value = headers[name.toLowerCase()];
  return typeof value === 'string' ? value : undefined;
}

function isCode(error: unknown, code: SyncError['code']): boolean {
  return error instanceof SyncError && error.code === code;
}
