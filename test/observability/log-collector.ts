/** A logger whose lines a test can read. */

import { createLogger, type LogLevel, type Logger } from '../../src/observability/logger.ts';

/** Opens a JSON logger that keeps what it wrote. */
export async function collectLogs(
  level: LogLevel = 'debug',
): Promise<{ logger: Logger; lines: Record<string, unknown>[]; text(): string }> {
  const raw: string[] = [];
  const logger = await createLogger({
    level,
    format: 'json',
    destination: { write: (line) => raw.push(line) },
  });
  return {
    logger,
    get lines() {
      return raw.map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    text: () => raw.join(''),
  };
}
