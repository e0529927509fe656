/** A frame of a client as a message. */

import { SyncError } from '../../protocol/errors.ts';
import { parseStreamMessage, type StreamMessage } from '../../protocol/stream.ts';
import { scanJson } from '../middleware/scan-json.ts';

/** Throws 400 `invalid_request` with a reason, or what is wrong inside the message. */
export function readMessage(bytes: Buffer, isBinary: boolean): StreamMessage {
  if (isBinary) throw unreadable('binary_message');
  const fault = scanJson(bytes);
  if (fault !== null) throw unreadable(fault);
  return parseStreamMessage(parse(bytes));
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw unreadable('invalid_json');
  }
}

function unreadable(reason: string): SyncError {
  return new SyncError('invalid_request', { details: { reason } });
}
