/** What an answer that is no stream means for a reader: come again, enter another token, or give up. */

/** What to do, and what to tell the person. */
export interface Refusal {
  readonly next: 'again' | 'token' | 'stop';
  readonly text: string;
  /** Wait at least so long, ms. */
  readonly wait_ms: number;
}

const TEXTS: Readonly<Record<string, string>> = {
  token_expired: 'This token has expired. Enter another one.',
  token_missing: 'This server asks for a token. Enter one.',
  scope_ambiguous: 'This token holds several scopes. Name one of them.',
  scope_forbidden: 'This token does not hold that scope. Name another, or enter another token.',
  scope_missing: 'This token names no scope. Enter another one.',
  rate_limited: 'Too many streams of this account are open. Waiting for a place.',
};

/** Judges an error of the catalogue; `message` is the server's own text. */
export function judge(error: {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly reason?: string | undefined;
  readonly wait_ms?: number;
}): Refusal {
  const { code, message, retryable, reason, wait_ms = 0 } = error;
  const text = TEXTS[reason ?? ''] ?? TEXTS[code];
  if (code === 'authentication_failed') {
    return { next: 'token', text: text ?? 'This token is refused. Enter another one.', wait_ms };
  }
  if (code.startsWith('scope_') || code === 'collection_forbidden') {
    return { next: 'token', text: text ?? message, wait_ms };
  }
  return { next: retryable ? 'again' : 'stop', text: text ?? message, wait_ms };
}

/** Judges an answer other than 200; what has no readable body may be a proxy, and is asked again. */
export async function judgeAnswer(response: Response): Promise<Refusal> {
  const wait_ms = Number(response.headers.get('retry-after') ?? 0) * 1_000;
  const body: unknown = await response.json().catch(() => undefined);
  const { error, message, retryable, details } = (body ?? {}) as Record<string, unknown>;
  if (typeof error !== 'string') {
    return { next: 'again', text: `The server answered ${response.status}.`, wait_ms };
  }
  const reason = (details as { reason?: string } | undefined)?.reason;
  return judge({
    code: error,
    message: String(message),
    retryable: retryable === true,
    reason,
    wait_ms: Number.isFinite(wait_ms) ? wait_ms : 0,
  });
}
