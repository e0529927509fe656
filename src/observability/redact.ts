/** What may be written to a log: an allow-list of fields, and texts without secrets. */

/** Every field that a log line may carry, beside `level`, `time`, `msg` and `event`. */
export const LOG_FIELDS = [
  'request_id',
  'route',
  'method',
  'status',
  'ms',
  'code',
  'reason',
  'endpoint',
  'actor_id',
  'scope_id',
  'client_id',
  'close_code',
  'origin',
  'collection',
  'collections',
  'doc_id',
  'winner',
  'verdict',
  'version',
  'head',
  'head_lead_ms',
  'since',
  'changes',
  'rows',
  'documents',
  'accepted',
  'resolved',
  'rejected',
  'duplicates',
  'conflicts',
  'bundle_seq',
  'pushes',
  'attempts',
  'has_more',
  'first',
  'jump_ms',
  'count',
  'host',
  'port',
  'address',
  'url',
  'store',
  'database',
  'path',
  'auth',
  'signal',
  'node',
  'server_version',
  'hint',
  'err',
] as const;
export type LogField = (typeof LOG_FIELDS)[number];

/** Fields of one line. What is not listed here is not written, whatever its type says. */
export type LogFields = { readonly [Field in LogField]?: unknown };

/** Keeps the listed fields; texts are scrubbed, errors become plain objects [OB-1]. */
export function pickFields(fields: LogFields): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const name of LOG_FIELDS) {
    const value = fields[name];
    if (value !== undefined) kept[name] = name === 'err' ? describeError(value) : plain(value);
  }
  return kept;
}

/** A connection string up to its last `@`: an unescaped `@` or `/` in a password must not show its rest. */
const CREDENTIALS = /(?<=mongodb(?:\+srv)?:\/\/)\S*@|(?<=[a-z][\w+.-]{0,40}:\/\/)[^\s/@]*@/gi;
const TOKEN = /\beyJ[\w-]+\.[\w-]+\.[\w-]*/g;

/** The text without `user:password@` of any address and without anything that looks like a token [OB-2]. */
export function scrub(text: string): string {
  return text.replace(CREDENTIALS, '***@').replace(TOKEN, '[token]');
}

/** An error as data: type, message, code, stack and causes, all scrubbed. Nothing else of it. */
export function describeError(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error };
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    message: scrub(error.message),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    stack: scrub(error.stack ?? ''),
    ...(error.cause === undefined || depth >= CAUSES_MAX
      ? {}
      : { cause: describeError(error.cause, depth + 1) }),
  };
}

const CAUSES_MAX = 4;

/** Scalars and lists of scalars; an object could be a document. */
function plain(value: unknown): unknown {
  if (typeof value === 'string') return scrub(value);
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
  if (Array.isArray(value))
    return value.map((item) => (typeof item === 'object' ? null : plain(item)));
  return undefined;
}
