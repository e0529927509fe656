/** Prints an effective configuration for `config print` and `serve --print-config`. */

import { CONFIG_KEYS, type ConfigKey } from '../config/config-keys.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import { maskValue } from '../config/mask.ts';
import type { Output } from './output.ts';

const VALUE_WIDTH_MAX = 48;

/** One line per key (`key: value  # origin`), or one JSON object from key to value and origin. */
export async function printConfig(output: Output, loaded: LoadedConfig): Promise<void> {
  const rows = CONFIG_KEYS.map((key) => describe(key, loaded));
  if (output.json) {
    const entries = rows.map(({ name, value, origin }) => [name, { value, origin }]);
    await output.jsonLine(Object.fromEntries(entries));
    return;
  }
  const width = Math.min(
    VALUE_WIDTH_MAX,
    Math.max(...rows.map(({ name, text }) => name.length + 2 + text.length)),
  );
  for (const { name, text, origin } of rows) {
    await output.data(`${`${name}: ${text}`.padEnd(width)}  # ${origin}`);
  }
}

function describe(key: ConfigKey, { config, origins }: LoadedConfig) {
  const value =
    key.name === 'collections'
      ? Object.fromEntries(config.collections.map(({ name, ...options }) => [name, options]))
      : key.path.reduce<unknown>(
          (section, part) => (section as Record<string, unknown> | undefined)?.[part],
          config,
        );
  const origin = origins.get(key.name) ?? 'default';
  if (value === undefined) {
    return { name: key.name, value: null, text: '(not set)', origin };
  }
  const masked = key.secret ? maskValue(key, value) : value;
  return {
    name: key.name,
    value: masked,
    text: typeof masked === 'string' ? masked : JSON.stringify(masked),
    origin,
  };
}
