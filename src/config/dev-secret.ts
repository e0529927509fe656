/** The signing key of a first run: made once, readable by its owner only, kept for the next start. */

import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ConfigError } from './config-error.ts';
import type { Config } from './finish-config.ts';

const SECRET_BYTES = 32;

/**
 * The configuration with its signing key: the configured one, or that of the first run, which is
 * made here when there is none yet. Throws `ConfigError` when the file cannot be used.
 */
export async function withSecret(config: Config): Promise<Config> {
  const path = config.dev_secret_file;
  if (path === null) return config;
  return { ...config, auth: { ...config.auth, secret: await readOrMake(path) } };
}

/** A fresh key as text, for a new configuration file. */
export function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

async function readOrMake(path: string): Promise<string> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Neither the key nor the data of a first run belongs into version control.
  await writeFile(join(folder, '.gitignore'), '*\n');
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, `${newSecret()}\n`, { mode: 0o600 });
  try {
    // A link appears complete or not at all, and never replaces: of two starting processes one wins.
    await link(draft, path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
  } finally {
    await rm(draft, { force: true });
  }
  const secret = (await readFile(path, 'utf8')).trim();
  if (Buffer.byteLength(secret) < SECRET_BYTES) {
    throw new ConfigError([
      {
        where: path,
        message: 'the development secret is too short; delete the file and start again',
      },
    ]);
  }
  return secret;
}
