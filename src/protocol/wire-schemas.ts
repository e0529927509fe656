/** Every wire shape by its name, and its JSON Schema (2020-12): what the OpenAPI document is made of. */

import { z } from 'zod';
import { Change, ChangeResult, DocumentData } from './change.ts';
import { ErrorEnvelope, FailureDetails, FoundIssue, Problem } from './error-envelope.ts';
import {
  BundleEvent,
  CaughtUpEvent,
  ChangeEvent,
  ConnectedEvent,
  ErrorEvent,
  EventsParameters,
  EventsRequestHeaders,
  PingEvent,
  Subscriber,
  Subscribers,
  WatchParameters,
} from './events.ts';
import { FullLine, FullParameters, FullTombstone, FullTrailer } from './full.ts';
import { AnswerHeaders, RequestHeaders, SyncRequestHeaders } from './header-shapes.ts';
import { PullChange, PullPage, PullParameters, PullStale } from './pull.ts';
import { PushRequest, PushResponse } from './push.ts';
import { ScopeStatus, StatusParameters, StatusRequest } from './scope-status.ts';
import { ServerChangesRequest } from './server-changes.ts';
import {
  StreamAuth,
  StreamCaughtUp,
  StreamChange,
  StreamError,
  StreamPing,
  StreamResync,
  StreamSignal,
  StreamSubscribe,
  StreamSubscribed,
} from './stream.ts';
import { Capabilities, Health, Readiness, ServerIndex } from './status.ts';

const WIRE_SHAPES = {
  PushRequest,
  ServerChangesRequest,
  Change,
  DocumentData,
  PushResponse,
  ChangeResult,
  PullPage,
  PullChange,
  PullStale,
  FullLine,
  FullTombstone,
  FullTrailer,
  ScopeStatus,
  StatusRequest,
  ConnectedEvent,
  BundleEvent,
  ChangeEvent,
  CaughtUpEvent,
  ErrorEvent,
  PingEvent,
  Subscribers,
  Subscriber,
  StreamSubscribe,
  StreamAuth,
  StreamSignal,
  StreamSubscribed,
  StreamChange,
  StreamCaughtUp,
  StreamPing,
  StreamResync,
  StreamError,
  Capabilities,
  Readiness,
  Health,
  ServerIndex,
  FailureDetails,
  ErrorEnvelope,
  Problem,
  Issue: FoundIssue,
} as const satisfies Record<string, z.ZodType>;

const PARAMETER_SETS = {
  PullParameters,
  FullParameters,
  StatusParameters,
  EventsParameters,
  WatchParameters,
  RequestHeaders,
  SyncRequestHeaders,
  EventsRequestHeaders,
  AnswerHeaders,
} as const satisfies Record<string, z.ZodObject>;

/** Name of a shape that a body can have. */
export type WireShape = keyof typeof WIRE_SHAPES;
/** Name of a set of query parameters or headers. */
export type ParameterSet = keyof typeof PARAMETER_SETS;

/** A JSON Schema, as far as anybody here looks into it. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly $ref?: string;
  readonly [keyword: string]: unknown;
}

/** One query parameter or header. */
export interface Parameter {
  readonly name: string;
  readonly required: boolean;
  readonly description: string | undefined;
  readonly schema: JsonSchema;
}

/** The JSON Schema of every shape by name; they refer to each other at `prefix` + name. */
export function wireSchemas(prefix: string): Record<WireShape, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [id, shape] of Object.entries(WIRE_SHAPES)) registry.add(shape, { id });
  // Input: what a reader may rely on. A later server may send more, so no object is closed.
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: (id) => `${prefix}${id}` });
  const plain = Object.entries(schemas).map(([id, schema]) => [id, plainSchema(schema)]);
  return Object.fromEntries(plain) as Record<WireShape, JsonSchema>;
}

/** The parameters or headers of a set. */
export function parametersOf(set: ParameterSet): readonly Parameter[] {
  const schema = plainSchema(z.toJSONSchema(PARAMETER_SETS[set], { io: 'input' }));
  return Object.entries(schema.properties ?? {}).map(([name, { description, ...rest }]) => ({
    name,
    required: schema.required?.includes(name) === true,
    description,
    schema: rest,
  }));
}

/** Keywords that say where a schema came from, or what every JSON object fulfils. */
const NOISE: readonly string[] = ['$schema', '$id', 'id', 'propertyNames'];

/**
 * The schema without zod's additions that help no reader: its own names, and on every integer the
 * bounds of a double.
 */
function plainSchema(schema: object): JsonSchema {
  const kept = Object.entries(schema).filter(
    ([keyword, value]) => !NOISE.includes(keyword) && !isDoubleBound(keyword, value),
  );
  return Object.fromEntries(kept.map(([keyword, value]) => [keyword, plainValue(keyword, value)]));
}

function plainValue(keyword: string, value: unknown): unknown {
  if (keyword === 'properties') {
    const properties = Object.entries(value as Record<string, object>);
    return Object.fromEntries(properties.map(([name, schema]) => [name, plainSchema(schema)]));
  }
  if (keyword === 'anyOf' || keyword === 'oneOf' || keyword === 'allOf') {
    return (value as object[]).map(plainSchema);
  }
  const isSchema = keyword === 'items' || keyword === 'additionalProperties';
  return isSchema && typeof value === 'object' && value !== null ? plainSchema(value) : value;
}

function isDoubleBound(keyword: string, value: unknown): boolean {
  return (
    (keyword === 'minimum' || keyword === 'maximum') && Math.abs(Number(value)) === 2 ** 53 - 1
  );
}
