/** The commented sample file of the package: the one source of `config sample` and `init --write-config`. */

import { readFile } from 'node:fs/promises';

/** Name of a new configuration file. */
export const CONFIG_FILE = 'sync.config.yaml';

/** Variable that the sample takes its signing key from. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholder is meant literally
const SECRET_PLACEHOLDER = '${OFFLINE_SYNC_SECRET}';

// biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholder is meant literally
const MONGODB_LINE = 'mongodb_uri: ${MONGODB_URI}';

/** Text of the sample. */
export function readSample(): Promise<string> {
  return readFile(new URL('../sync.config.example.yaml', import.meta.url), 'utf8');
}

/** The sample with a signing key of its own, ready to serve. */
export function fillSample(sample: string, secret: string): string {
  return sample.replace(SECRET_PLACEHOLDER, secret);
}

/** The sample for the MongoDB that the environment names; address and password stay out of the file. */
export function fillMongoSample(sample: string, secret: string): string {
  return fillSample(sample, secret)
    .replace(/^store: embedded$/m, 'store: mongo')
    .replace(/^# mongodb_uri: .*$/m, MONGODB_LINE)
    .replace(/^# database_name: app$/m, 'database_name: app');
}
