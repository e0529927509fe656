/** What may be shown of a value. Secrets never leave; a connection string shows hosts and database. */

/** Shown instead of a secret. */
export const MASK = '********';
const SHOWN_LENGTH_MAX = 120;
const HOSTS = /^[\w.-]+(:\d{1,5})?(,[\w.-]+(:\d{1,5})?)*$|^\[[0-9a-fA-F:.]+\](:\d{1,5})?$/;

/**
 * A connection string without user, password and options. Anything unusual is masked whole, because
 * an unescaped `@`, `/` or `?` in a password moves part of it to where hosts are expected.
 */
export function maskUri(uri: string): string {
  const match = /^(mongodb(?:\+srv)?):\/\/([^/?\s]*)(\/[^?\s]*)?(.*)$/s.exec(uri);
  if (match === null) return MASK;
  const [, scheme, authority = '', database = '', rest = ''] = match;
  const hosts = authority.slice(authority.lastIndexOf('@') + 1);
  const odd = !HOSTS.test(hosts) || database.includes('@') || rest.includes('@');
  return odd ? MASK : `${scheme}://${hosts}${database === '/' ? '' : database}`;
}

/** An address without user, password, query and fragment. */
export function maskUrl(address: string): string {
  if (!URL.canParse(address)) return MASK;
  const { protocol, host, pathname } = new URL(address);
  return `${protocol}//${host}${pathname}`;
}

/** A value as it may stand in output and in errors. */
export function maskValue(key: { name: string; secret: boolean }, value: unknown): string {
  if (!key.secret) return showValue(value);
  if (typeof value !== 'string') return MASK;
  if (key.name === 'mongodb_uri') return maskUri(value);
  return key.name === 'auth.jwks_url' ? maskUrl(value) : MASK;
}

/** JSON text of a value, shortened. */
export function showValue(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
}
