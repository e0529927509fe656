/** An answer to a request whose body will not be read. */

import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../core/ports/system.ts';
import { REFUSED_BODY_LINGER_MS } from '../http-limits.ts';

/** True when bytes of the body are still to come. */
export function hasUnreadBody(incoming: IncomingMessage | undefined): incoming is IncomingMessage {
  return incoming !== undefined && !incoming.complete && !incoming.destroyed;
}

/**
 * Sends `text` at once and ends the answer (and with it the connection) only when the rest of the
 * body has come or a short time is over. Closing with unread bytes would reset the connection, and
 * a caller that still writes would then see a broken pipe instead of the answer [HT-9].
 */
export function closingBody(
  text: string,
  incoming: IncomingMessage,
  clock: Clock,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      const over = new Promise<void>((resolve) => {
        incoming.once('end', resolve).once('close', resolve);
      });
      incoming.resume();
      await Promise.race([over, clock.sleep(REFUSED_BODY_LINGER_MS)]);
      controller.close();
    },
  });
}
