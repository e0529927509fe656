import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  EVENT_LENGTH_MAX,
  EventParser,
  type StreamEvent,
} from '../../../src/console/event-parser.ts';

function parse(pieces: readonly string[]) {
  const events: StreamEvent[] = [];
  const retries: number[] = [];
  const parser = new EventParser({
    event: (event) => events.push(event),
    retry: (ms) => retries.push(ms),
  });
  for (const piece of pieces) parser.push(piece);
  return { events, retries };
}

const STREAM =
  'retry: 1500\n\nevent: connected\nid: a\ndata: {}\n\n:\n\nevent: change\nid: b\ndata: {"x":1}\n\ndata: last\n\n';

describe('[CO-7] the reader of events', () => {
  test('[CO-7] names, data and ids; a comment is nothing; an id holds on', () => {
    const { events, retries } = parse([STREAM]);
    assert.deepEqual(retries, [1_500]);
    assert.deepEqual(events, [
      { type: 'connected', data: '{}', id: 'a' },
      { type: 'change', data: '{"x":1}', id: 'b' },
      { type: 'message', data: 'last', id: 'b' },
    ]);
  });
  for (const end of ['\n', '\r\n', '\r']) {
    test(`[CO-7] wherever the pieces are cut, lines that end with ${JSON.stringify(end)}`, () => {
      const text = `${STREAM.replaceAll('\n', end)}:${end}`;
      const whole = parse([STREAM]);
      for (let at = 1; at < text.length; at += 1) {
        assert.deepEqual(parse([text.slice(0, at), text.slice(at)]), whole, `cut at ${at}`);
      }
      assert.deepEqual(parse([...text]), whole);
    });
  }
  test('[CO-7] several lines of data, one space taken off, other separators kept', () => {
    const { events } = parse(['data: a\ndata:  b\ndata\ndata:c\u2028d\n\n']);
    assert.equal(events[0]?.data, 'a\n b\n\nc\u2028d');
  });
  test('[CO-7] no event without data, no id with NUL, no time that is none', () => {
    const { events, retries } = parse(['event: x\n\nid: a\0\ndata: 1\nretry: 1e3\nretry: -1\n\n']);
    assert.deepEqual([events, retries], [[{ type: 'message', data: '1', id: undefined }], []]);
  });
  test('[CO-7] an event without end is given up', () => {
    const piece = 'x'.repeat(EVENT_LENGTH_MAX / 4);
    assert.doesNotThrow(() => parse(['data: ', piece, piece, piece]));
    assert.throws(() => parse(['data: ', piece, piece, piece, piece]), /too long/);
    const line = `data: ${piece}\n`;
    assert.throws(() => parse([line, line, line, line, 'x']), /too long/);
  });
});
