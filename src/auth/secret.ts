/** The shared secret of signed tokens. */

/** Least length of a secret, bytes: shorter ones can be guessed offline from one token. */
export const SECRET_BYTES_MIN = 32;

/** The secret as key bytes. Throws `RangeError` when it is too short; the message does not hold it. */
export function secretBytes(secret: string): Uint8Array {
  const bytes = new TextEncoder().encode(secret);
  if (bytes.length < SECRET_BYTES_MIN) {
    throw new RangeError(`the token secret must have at least ${SECRET_BYTES_MIN} bytes`);
  }
  return bytes;
}
