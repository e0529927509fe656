/** Structured logs through pino: one event name and a static message per line, listed fields only. */

import { type Level, pino } from 'pino';
import { type LogFields, pickFields } from './redact.ts';

/** Levels. error = somebody must act; warn = degraded or refused; info = life cycle; debug = per request. */
export type LogLevel = Level | 'silent';

/** Where lines go and which. */
export interface LoggerOptions {
  readonly level: LogLevel;
  /** `json` for machines, `pretty` for a terminal. */
  readonly format: 'json' | 'pretty';
  /** Receives whole lines. */
  readonly destination: { write(line: string): void };
  /** Colours in the pretty form. */
  readonly colour?: boolean;
}

/** Writes one line: event name, static text, listed fields. */
export type LogLine = (event: string, message: string, fields?: LogFields) => void;

/** The logger that everything outside the core uses. */
export interface Logger {
  readonly error: LogLine;
  readonly warn: LogLine;
  readonly info: LogLine;
  readonly debug: LogLine;
  /** True when lines of the level are written; for callers that would build fields in vain. */
  isEnabled(level: Level): boolean;
}

/** Opens a logger. The pretty printer is loaded only when it is wanted. */
export async function createLogger(options: LoggerOptions): Promise<Logger> {
  const { level, format, destination } = options;
  const stream = format === 'pretty' ? await prettyStream(options) : destination;
  const sink = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  const line =
    (name: 'error' | 'warn' | 'info' | 'debug'): LogLine =>
    (event, message, fields) => {
      if (sink.isLevelEnabled(name)) sink[name]({ event, ...pickFields(fields ?? {}) }, message);
    };
  return {
    error: line('error'),
    warn: line('warn'),
    info: line('info'),
    debug: line('debug'),
    isEnabled: (name) => sink.isLevelEnabled(name),
  };
}

/** A logger of the application around, shaped like pino's: an object with the fields, then the text. */
export interface LogSink {
  error(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  info(fields: object, message: string): void;
  debug(fields: object, message: string): void;
  /** Absent = every level is wanted. */
  isLevelEnabled?(level: string): boolean;
}

/** The same lines with the same fields, written by somebody else's logger. */
export function loggerOver(sink: LogSink): Logger {
  const isEnabled = (level: string): boolean => sink.isLevelEnabled?.(level) ?? true;
  const line =
    (name: 'error' | 'warn' | 'info' | 'debug'): LogLine =>
    (event, message, fields) => {
      try {
        if (isEnabled(name)) sink[name]({ event, ...pickFields(fields ?? {}) }, message);
      } catch {
        // What is told was done already: a committed write must not look like a failed one.
      }
    };
  return {
    error: line('error'),
    warn: line('warn'),
    info: line('info'),
    debug: line('debug'),
    isEnabled,
  };
}

/** In this process: a worker of its own would not survive being bundled. */
async function prettyStream({ destination, colour = false }: LoggerOptions) {
  const { prettyFactory } = await import('pino-pretty');
  const pretty = prettyFactory({
    colorize: colour,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'event',
    messageFormat: '{event}: {msg}',
    singleLine: true,
  });
  return { write: (line: string) => destination.write(pretty(line)) };
}
