/** Where the data lives, for people: without a password. */

import type { Config } from '../config/finish-config.ts';
import { maskUri } from '../config/mask.ts';

/** One line that names the store. */
export function describeStore(config: Config): string {
  return config.store === 'embedded'
    ? `embedded, ${config.data_dir}`
    : `mongo, ${maskUri(config.mongodb_uri ?? '')} database ${config.database_name}`;
}
