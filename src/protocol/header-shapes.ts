/** The headers of requests and answers, described. Their names stand in `pure/headers.ts`. */

import { z } from 'zod';
import {
  HEADER_CURSOR,
  HEADER_EPOCH,
  HEADER_HEAD,
  HEADER_HEAD_SEQ,
  HEADER_LAST_SEQ,
  HEADER_PROTOCOL,
  HEADER_REQUEST_ID,
  HEADER_SCOPE,
  HEADER_TIME,
  PROTOCOL_VERSION,
} from './pure/headers.ts';
import { IDENTITY_LENGTH_MAX } from './pure/limits.ts';

/** What a caller may send on every route, beside what HTTP itself defines. */
export const RequestHeaders = z.object({
  [HEADER_PROTOCOL]: z
    .literal(PROTOCOL_VERSION)
    .optional()
    .describe('The protocol version that the caller speaks; another one is answered 426'),
  [HEADER_REQUEST_ID]: z
    .string()
    .max(128)
    .optional()
    .describe('Name of the request in answers and logs; without a usable one the server makes it'),
});

/** What a caller may send on the routes that serve a scope. */
export const SyncRequestHeaders = z.object({
  [HEADER_SCOPE]: z
    .string()
    .max(3 * IDENTITY_LENGTH_MAX)
    .optional()
    .describe("One of the token's scopes, percent-encoded if need be; needed when it has several"),
  [HEADER_EPOCH]: z
    .string()
    .optional()
    .describe('The history that the caller knows; another one is answered with a full resync'),
});

/** Every header of an answer that this server gives a meaning to. */
export const AnswerHeaders = z.object({
  [HEADER_REQUEST_ID]: z.string().min(1).max(128).describe('Name of the request'),
  [HEADER_PROTOCOL]: z.literal(PROTOCOL_VERSION).describe('Protocol version of the server'),
  [HEADER_EPOCH]: z.string().describe('The history that versions and cursors belong to'),
  [HEADER_TIME]: z.string().describe('Time of the server, ISO 8601'),
  'Cache-Control': z
    .enum(['no-store', 'no-cache', 'private, no-cache', 'no-store, no-transform'])
    .describe('no-cache comes with an ETag'),
  'X-Content-Type-Options': z.literal('nosniff').describe('The media type is what it says'),
  [HEADER_HEAD]: z.string().describe('Newest version of the scope'),
  [HEADER_HEAD_SEQ]: z.int().min(0).describe('Number of its newest bundle'),
  [HEADER_LAST_SEQ]: z.string().describe('The `since` to pull from once every page is staged'),
  [HEADER_CURSOR]: z.string().optional().describe('Cursor of the next page; absent on the last'),
  'Retry-After': z.int().min(1).describe('Seconds to wait'),
  'WWW-Authenticate': z.literal('Bearer').describe('How to authenticate'),
  Allow: z.string().describe('Methods that the path serves'),
  ETag: z.string().describe('For If-None-Match'),
  'Content-Security-Policy': z.string().describe('The page may show itself and nothing else'),
});
export type AnswerHeader = keyof typeof AnswerHeaders.shape;
