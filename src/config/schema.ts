/**
 * Every configuration key, with its rule, default and description: the only source of the editor's
 * JSON Schema, of the environment names and of `docs/CONFIG.md`. Keys of later versions are unknown
 * here, and unknown keys are errors [CF-4].
 */

import { z } from 'zod';
import { LIMITS } from '../protocol/pure/limits.ts';
import { auth } from './auth-schema.ts';
import { collections } from './collection-schema.ts';
import { help } from './key-help.ts';
import { stream } from './stream-schema.ts';

const DAYS_MAX = 20_000;

function limit(key: keyof typeof LIMITS, description: string) {
  const { default: value, max, unit } = LIMITS[key];
  return z
    .int()
    .min(1)
    .max(max)
    .default(value)
    .meta(help({ description: `${description} (${unit}, at most ${max})`, example: value }));
}

const storage = {
  store: z
    .enum(['mongo', 'embedded'])
    .optional()
    .meta(
      help({
        description: 'Where data lives; default: mongo when mongodb_uri is set, else embedded',
        example: 'embedded',
      }),
    ),
  data_dir: z
    .string()
    .min(1)
    .default('./.offline-sync')
    .meta(
      help({
        description: 'Folder of the embedded store; in a file, relative to that file',
        example: './.offline-sync',
      }),
    ),
  mongodb_uri: z
    .string()
    .regex(/^mongodb(\+srv)?:\/\/[^\s/?]+/, {
      error: 'a connection string that starts with mongodb:// or mongodb+srv://',
    })
    .optional()
    .meta(
      help({
        description: 'Connection string of a replica set',
        example: 'mongodb://127.0.0.1:27017/?replicaSet=rs0',
        secret: true,
      }),
    ),
  database_name: z
    .string()
    .max(63)
    .regex(/^[\w-]+$/, {
      error: 'a database name of letters, digits, "_" and "-"',
    })
    .optional()
    .meta(help({ description: 'Database that holds your collections', example: 'app' })),
  transactions: z
    .enum(['required', 'off'])
    .default('required')
    .meta(
      help({
        description: '`off`: a standalone MongoDB, one process, not for production',
        example: 'required',
      }),
    ),
};

const listening = {
  host: z
    .string()
    .min(1)
    .max(255)
    .default('127.0.0.1')
    .meta(help({ description: 'Address to listen on', example: '127.0.0.1' })),
  port: z
    .int()
    .min(0)
    .max(65_535)
    .default(8080)
    .meta(help({ description: 'Port to listen on; 0 takes a free one', example: 8080 })),
  cors: z
    .strictObject({
      origins: z
        .array(
          z.string().regex(/^https?:\/\/[^/\s*]+$/, {
            error: 'origins such as https://app.example.com, without a path and without "*"',
          }),
        )
        .max(100)
        .default([])
        .meta(
          help({
            description: 'Web origins that may call from a browser',
            example: ['https://app.example.com'],
          }),
        ),
    })
    .prefault({})
    .meta({ description: 'Calls from browsers on other origins' }),
  drain_seconds: z
    .int()
    .min(0)
    .max(600)
    .default(10)
    .meta(
      help({ description: 'How long a stopping server waits for running requests', example: 10 }),
    ),
};

const lifetimes = {
  oplog_ttl_days: z
    .int()
    .min(1)
    .max(DAYS_MAX / 2)
    .default(30)
    .meta(help({ description: 'A client away for longer needs a full resync', example: 30 })),
  receipt_ttl_days: z
    .int()
    .min(1)
    .max(DAYS_MAX)
    .optional()
    .meta(
      help({
        description: 'How long a repeated push is recognised; default: twice oplog_ttl_days',
        example: 60,
      }),
    ),
  tombstone_ttl_days: z
    .int()
    .min(0)
    .max(DAYS_MAX)
    .optional()
    .meta(
      help({
        description: 'How long a deletion is remembered, 0 = for ever; default: receipt_ttl_days',
        example: 60,
      }),
    ),
  conflict_ttl_days: z
    .int()
    .min(1)
    .max(DAYS_MAX)
    .default(90)
    .meta(help({ description: 'How long the losing side of a conflict is kept', example: 90 })),
};

const limits = {
  push_max_changes: limit('push_max_changes', 'Changes in one push'),
  max_body_bytes: limit('max_body_bytes', 'Size of a request body'),
  max_document_bytes: limit('max_document_bytes', 'Size of one document'),
  pull_default_limit: limit('pull_default_limit', 'Rows of a pull that names no limit'),
  pull_max_limit: limit('pull_max_limit', 'Rows a pull may ask for'),
  pull_max_bytes: limit('pull_max_bytes', 'Size of one page of a pull'),
  full_default_limit: limit('full_default_limit', 'Documents of a full page that names no limit'),
  full_max_limit: limit('full_max_limit', 'Documents a full page may ask for'),
  max_clock_drift_ms: limit('max_clock_drift_ms', 'How far a client clock may be ahead'),
};

const operation = {
  capture_rescan_seconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(300)
    .meta(
      help({
        description:
          'How often captured collections are compared as a whole where the database gives no change stream',
        example: 300,
      }),
    ),
  auto_init: z
    .boolean()
    .default(false)
    .meta(
      help({
        description:
          'Let `serve` create missing collections and indexes, and take over changed collections',
        example: false,
      }),
    ),
  push_on_reject: z
    .enum(['partial', 'bundle'])
    .default('partial')
    .meta(
      help({
        description: '`partial`: store the accepted changes of a push; `bundle`: all or none',
        example: 'partial',
      }),
    ),
  push: z
    .strictObject({
      enabled: z
        .boolean()
        .default(true)
        .meta(
          help({
            description: 'false: devices may read only; their pushes are answered 503 and wait',
            example: false,
          }),
        ),
    })
    .prefault({})
    .meta({ description: 'What devices may push' }),
  server_writes: z
    .strictObject({
      token: z
        .string()
        .min(32, { error: 'a token of at least 32 characters' })
        .max(1_024)
        .optional()
        .meta(
          help({
            description:
              'Bearer token of back ends that write; without it /sync/server/changes does not exist',
            // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholder is meant literally
            example: '${SERVER_WRITES_TOKEN}',
            secret: true,
          }),
        ),
    })
    .prefault({})
    .meta({ description: 'Writes of back ends in any language' }),
  hlc_node_id: z
    .string()
    .max(64)
    .default('')
    .meta(
      help({
        description: 'Prefix of the node id in versions, at most 4 letters or digits are used',
        example: 'eu1',
      }),
    ),
  metrics: z
    .strictObject({
      token: z
        .string()
        .min(16, { error: 'a token of at least 16 characters' })
        .max(1_024)
        .optional()
        .meta(
          help({
            description:
              'Bearer token that /metrics asks for; without it the page is for loopback hosts',
            // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholder is meant literally
            example: '${METRICS_TOKEN}',
            secret: true,
          }),
        ),
    })
    .prefault({})
    .meta({ description: 'Prometheus metrics' }),
  log_level: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .meta(help({ description: 'Least level of a log line', example: 'info' })),
  log_format: z
    .enum(['pretty', 'json'])
    .optional()
    .meta(help({ description: 'Default: pretty on a terminal, else json', example: 'json' })),
};

/** The configuration file. */
export const ConfigSchema = z
  .strictObject({
    ...storage,
    collections,
    auth,
    ...listening,
    ...lifetimes,
    ...limits,
    stream,
    ...operation,
  })
  .meta({ title: 'Configuration of offline-sync' });

/** The configuration with its static defaults. */
export type ParsedConfig = z.output<typeof ConfigSchema>;
