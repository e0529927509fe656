/** The JSON body of a failed request, in both of its forms. */

import { z } from 'zod';
import type { ErrorDetails } from './errors.ts';
import { ERROR_CODES, ISSUE_CODES } from './pure/error-codes.ts';

/** One finding of a refused request or change. */
export const FoundIssue = z
  .object({
    path: z.string().describe('Place of the fault; "" is the whole'),
    code: z.enum(ISSUE_CODES).describe('What is wrong'),
    message: z.string().describe('What to do about it'),
  })
  .meta({ id: 'Issue', description: 'One finding' });

/** What is known about one occurrence of an error. */
export const FailureDetails = z
  .looseObject({
    reason: z.string().optional().describe('A finer code'),
    issues: z.array(FoundIssue).optional().describe('Every finding'),
  })
  .meta({ id: 'FailureDetails', description: 'Facts of one occurrence of an error' });

/** The one JSON body of every failed request. */
export const ErrorEnvelope = z
  .object({
    error: z.enum(ERROR_CODES).describe('Code of the closed catalogue'),
    message: z.string().describe('Text of the code; the same on every occurrence'),
    retryable: z.boolean().describe('True when the same request may succeed later'),
    request_id: z.string().describe('Equal to X-Request-Id; "-" when no request could be read'),
    details: FailureDetails.optional().describe('Facts of this occurrence'),
    detail: z.string().describe('Equal to message, for readers that expect this name'),
  })
  .meta({ id: 'ErrorEnvelope', description: 'The body of every failed request' });
/** The body of a failed request. */
export type ErrorEnvelope = Readonly<Omit<z.infer<typeof ErrorEnvelope>, 'details'>> & {
  readonly details?: ErrorDetails;
};

/** The envelope with the fields of RFC 9457, for callers whose Accept names application/problem+json. */
export const Problem = ErrorEnvelope.extend({
  type: z.string().describe('urn:offline-sync:error: and the code'),
  title: z.string().describe('Equal to message'),
  status: z.int().describe('The HTTP status'),
  instance: z.string().describe('Equal to request_id'),
  code: z.enum(ERROR_CODES).describe('Equal to error'),
}).meta({
  id: 'Problem',
  description:
    'ErrorEnvelope with the fields of RFC 9457, when Accept names application/problem+json',
});
/** The same as `application/problem+json`. */
export type Problem = ErrorEnvelope &
  Pick<z.infer<typeof Problem>, 'type' | 'title' | 'status' | 'instance' | 'code'>;
