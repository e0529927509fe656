/** An answer in the words of the bad-input catalogue (`test/bad-input/codes.json`). */

import type { Reply } from '../support/call.ts';
import type { StoreKind } from '../support/stores.ts';
import { resultsOf, type SeenResult } from './inputs.ts';

/** What some inputs are answered. Without a code they are no error. */
export interface Outcome {
  readonly inputs: readonly string[];
  readonly status: number;
  readonly code?: string;
  readonly reason?: string;
  readonly issue?: string;
  /** Status and resolution of the one change that was taken. */
  readonly result?: string;
  readonly duplicate?: boolean;
  /** One word per change when there are several. */
  readonly results?: readonly string[];
  /** Close code of a connection that was open. */
  readonly close?: number;
  /** A header that must be absent. */
  readonly without_header?: string;
  readonly only?: StoreKind['name'];
}

interface Facts {
  readonly error?: string;
  readonly reason?: string;
  readonly details?: { readonly reason?: string; readonly issues?: readonly { code: string }[] };
}

/** The answer as the catalogue would write it; undefined parts are left out. */
export function describeReply(reply: Reply, { without_header }: Outcome): unknown {
  const facts = (reply.json ?? {}) as Facts;
  const results = resultsOf(reply);
  const [first] = results;
  const absent = without_header !== undefined && reply.headers[without_header] === undefined;
  return JSON.parse(
    JSON.stringify({
      status: reply.status,
      close: reply.close,
      code: facts.error,
      reason: facts.details?.reason ?? facts.reason,
      issue: facts.details?.issues?.[0]?.code,
      ...(results.length === 1 && first !== undefined ? describeResult(first) : {}),
      ...(results.length > 1 ? { results: results.map(word) } : {}),
      ...(absent ? { without_header } : {}),
    }),
  );
}

function describeResult({ status, code, details, resolution, duplicate }: SeenResult): object {
  if (status === 'rejected') return { code, issue: details?.issues[0]?.code };
  return { result: status === 'accepted' ? status : `${status} ${resolution}`, duplicate };
}

function word({ status, code, duplicate }: SeenResult): string {
  return `${status === 'rejected' ? code : status}${duplicate ? ' duplicate' : ''}`;
}
