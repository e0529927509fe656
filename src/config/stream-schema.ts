/** The section `stream` of the configuration: live delivery. */

import { z } from 'zod';
import { STREAM_LIMITS } from '../protocol/pure/limits.ts';
import { help } from './key-help.ts';

/** A socket tells that it is empty only after it held this much: a smaller bound would never be told. */
const BUFFER_BYTES_MIN = 65_536;

function limit(key: keyof typeof STREAM_LIMITS, description: string, min = 1) {
  const { default: value, max, unit } = STREAM_LIMITS[key];
  return z
    .int()
    .min(min)
    .max(max)
    .default(value)
    .meta(help({ description: `${description} (${unit}, at most ${max})`, example: value }));
}

/** The keys below `stream`. */
export const stream = z
  .strictObject({
    max_connections: limit('max_connections', 'Open streams of one process'),
    max_connections_per_actor: limit(
      'max_connections_per_actor',
      'WebSockets of one actor in one process',
    ),
    max_unauthenticated: limit('max_unauthenticated', 'WebSockets whose token has not come yet'),
    max_events_per_actor: limit(
      'max_events_per_actor',
      'Event streams of one actor in one process',
    ),
    buffer_bytes: limit(
      'buffer_bytes',
      'What may wait for one reader; one larger message may wait alone',
      BUFFER_BYTES_MIN,
    ),
    token_in_query: z
      .boolean()
      .default(false)
      .meta(
        help({
          description:
            'Take tokens from the address (?token=); they end up in logs of proxies, so prefer the header or the first message',
          example: false,
        }),
      ),
  })
  .prefault({})
  .meta({ description: 'Live delivery' });
