/** The OpenAPI 3.1 document: the route table and the wire shapes, put together. */

import type { AnswerHeader } from '../protocol/header-shapes.ts';
import { ERROR_CATALOGUE, REJECTION_CATALOGUE } from '../protocol/errors.ts';
import type { ErrorCode } from '../protocol/pure/error-codes.ts';
import { PROTOCOL_VERSION } from '../protocol/pure/headers.ts';
import {
  type JsonSchema,
  type ParameterSet,
  parametersOf,
  type WireShape,
  wireSchemas,
} from '../protocol/wire-schemas.ts';
import type {
  DescribedParameter,
  DescribedResponse,
  MediaType,
  OpenApiDocument,
  Operation,
  Ref,
} from './openapi-document.ts';
import type { Route } from './route.ts';
import {
  type DescribedAnswer,
  ERRORS_OF_BODIES,
  ERRORS_OF_EVERY_REQUEST,
  ERRORS_OF_SYNC_ROUTES,
} from './route-description.ts';

const DESCRIPTION = `Two-way offline sync. Push local changes, pull what came after a version, and walk all documents when history no longer reaches back.

Requests are judged in this order: length of the address, \`Sync-Protocol\`, route and method, token, scope, \`Accept\`, then query or body. Every failed request has the same JSON body, \`ErrorEnvelope\`, as \`application/problem+json\` when \`Accept\` names that type. Answers over 1 KiB are gzipped when accepted. GET routes serve HEAD too.`;

const TAGS = [
  { name: 'Sync', description: 'What devices call, with a bearer token, in one scope' },
  { name: 'Operations', description: 'What operators and tools call' },
] as const;

/** Headers of every answer of a route [HT-1] [HT-2]. */
const COMMON_HEADERS: readonly AnswerHeader[] = [
  'X-Request-Id',
  'Sync-Protocol',
  'Sync-Epoch',
  'Sync-Time',
  'Cache-Control',
  'X-Content-Type-Options',
];

/** Makes the document of these routes. It names no host, no limit of the deployment and no secret. */
export function openApiDocument(routes: readonly Route[]): OpenApiDocument {
  const responses: Record<string, DescribedResponse> = {};
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const operation = describeRoute(route, responses);
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation };
  }
  const outside = outsideOperations(responses);
  return {
    openapi: '3.1.1',
    info: {
      title: 'offline-sync',
      version: PROTOCOL_VERSION,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: './' }],
    tags: TAGS,
    paths,
    components: {
      schemas: wireSchemas('#/components/schemas/'),
      responses,
      parameters: Object.fromEntries(
        [...headerParameters('RequestHeaders'), ...headerParameters('SyncRequestHeaders')].map(
          (one) => [one.name, one],
        ),
      ),
      headers: Object.fromEntries(
        parametersOf('AnswerHeaders').map(({ name, ...rest }) => [name, withText(rest)]),
      ),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        metrics: { type: 'http', scheme: 'bearer', description: 'The token of the metrics page' },
        service: { type: 'http', scheme: 'bearer', description: 'The token of back ends' },
      },
    },
    'x-outside-operations': outside,
    'x-error-codes': ERROR_CATALOGUE,
    'x-rejection-codes': REJECTION_CATALOGUE,
  };
}

function describeRoute(route: Route, shared: Record<string, DescribedResponse>): Operation {
  const { id, tag, summary, text, query, headers, body } = route.about;
  const sets: readonly ParameterSet[] = route.auth
    ? ['RequestHeaders', 'SyncRequestHeaders']
    : ['RequestHeaders'];
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: text,
    security: securityOf(route),
    parameters: [
      ...(query === undefined ? [] : parametersOf(query)).map((one) => ({
        in: 'query' as const,
        ...withText(one),
      })),
      ...sets.flatMap((set) =>
        parametersOf(set).map(({ name }) => ({ $ref: `#/components/parameters/${name}` })),
      ),
      ...(headers === undefined ? [] : headerParameters(headers)),
    ],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true as const,
            content: { 'application/json': { schema: anyOf([body]) } },
          },
        }),
    responses: responsesOf(route, shared),
    ...(route.about.messages === undefined
      ? {}
      : { 'x-messages': messagesOf(route.about.messages) }),
  };
}

function messagesOf(messages: NonNullable<Route['about']['messages']>) {
  return { client: messages.client.map(shapeRef), server: messages.server.map(shapeRef) };
}

function securityOf(route: Route): Operation['security'] {
  if (route.auth) return [{ bearer: [] }];
  const { token } = route.about;
  if (token === undefined) return [];
  if (token === 'optional') return [{}, { bearer: [] }];
  return token === 'metrics' ? [{}, { metrics: [] }] : [{ [token]: [] }];
}

/** Its own answers and the errors that it can give, by status; a status can be both. */
function responsesOf(
  { auth, about }: Route,
  shared: Record<string, DescribedResponse>,
): Operation['responses'] {
  const codes = [
    ...about.errors,
    ...(about.body === undefined ? [] : ERRORS_OF_BODIES),
    ...(auth ? ERRORS_OF_SYNC_ROUTES : []),
    ...ERRORS_OF_EVERY_REQUEST,
  ];
  const own = Object.fromEntries(
    about.answers.map((answer) => {
      const failed = codes.filter((code) => ERROR_CATALOGUE[code].status === answer.status);
      const described = describeAnswer(answer);
      const whole = failed.length === 0 ? described : either(described, errorResponse(failed));
      return [answer.status, whole];
    }),
  );
  const others = codes.filter((code) => !(ERROR_CATALOGUE[code].status in own));
  return { ...own, ...errorResponses(others, shared) };
}

function describeAnswer({
  text,
  type,
  shapes,
  lines,
  events,
  headers = [],
}: DescribedAnswer): DescribedResponse {
  const unshaped: JsonSchema = { type: type === 'application/json' ? 'object' : 'string' };
  const schema = shapes === undefined ? unshaped : anyOf(shapes);
  const media: MediaType = {
    schema: lines ? { type: 'string' } : schema,
    ...(lines ? { 'x-line-schema': schema } : {}),
    ...(events === undefined ? {} : { 'x-event-schemas': eventSchemas(events) }),
  };
  return {
    description: text,
    headers: headerRefs([...COMMON_HEADERS, ...headers]),
    ...(type === undefined ? {} : { content: { [type]: media } }),
  };
}

function eventSchemas(events: Readonly<Record<string, WireShape>>): Record<string, JsonSchema> {
  return Object.fromEntries(
    Object.entries(events).map(([name, shape]) => [name, shapeRef(shape)] as const),
  );
}

/** References to one shared response per status and set of codes. */
function errorResponses(
  codes: readonly ErrorCode[],
  shared: Record<string, DescribedResponse>,
): Record<string, Ref> {
  const responses: Record<string, Ref> = {};
  for (const status of new Set(codes.map((code) => ERROR_CATALOGUE[code].status))) {
    const same = codes.filter((code) => ERROR_CATALOGUE[code].status === status).sort();
    const name = [status, ...same].join('.');
    shared[name] ??= errorResponse(same);
    responses[status] = { $ref: `#/components/responses/${name}` };
  }
  return responses;
}

/** Codes of one status. Without a request there are no headers of a route either. */
function errorResponse(codes: readonly ErrorCode[], routed = true): DescribedResponse {
  const own = codes.flatMap((code) => headersOfError(code));
  const oneOf = { enum: [...codes] };
  return {
    description: codes.map((code) => `\`${code}\`: ${ERROR_CATALOGUE[code].message}`).join('\n\n'),
    headers: headerRefs([...(routed ? COMMON_HEADERS : []), ...own]),
    content: {
      'application/json': {
        schema: { ...shapeRef('ErrorEnvelope'), properties: { error: oneOf } },
      },
      ...(routed
        ? {
            'application/problem+json': {
              schema: { ...shapeRef('Problem'), properties: { error: oneOf, code: oneOf } },
            },
          }
        : {}),
    },
  };
}

function headersOfError(code: ErrorCode): readonly AnswerHeader[] {
  const { status } = ERROR_CATALOGUE[code];
  if (status === 401) return ['WWW-Authenticate'];
  if (status === 405) return ['Allow'];
  return status === 429 || status === 503 ? ['Retry-After'] : [];
}

/** Two responses of one status. */
function either(own: DescribedResponse, other: DescribedResponse): DescribedResponse {
  const content: Record<string, MediaType> = { ...own.content };
  for (const [type, { schema }] of Object.entries(other.content ?? {})) {
    const before = content[type];
    content[type] =
      before === undefined ? { schema } : { schema: { anyOf: [before.schema, schema] } };
  }
  return {
    description: `${own.description}\n\n${other.description}`,
    headers: { ...own.headers, ...other.headers },
    content,
  };
}

/** Unknown paths and methods, preflights, and what never became a request. */
function outsideOperations(
  shared: Record<string, DescribedResponse>,
): OpenApiDocument['x-outside-operations'] {
  return {
    ...errorResponses(['not_found', 'method_not_allowed', ...ERRORS_OF_EVERY_REQUEST], shared),
    204: {
      description: 'The answer to a preflight; with `Access-Control-*` for listed origins',
      headers: headerRefs(COMMON_HEADERS),
    },
    400: errorResponse(['invalid_request'], false),
    408: errorResponse(['request_timeout'], false),
    431: errorResponse(['invalid_request'], false),
  };
}

function headerParameters(set: ParameterSet): (DescribedParameter & { readonly name: string })[] {
  return parametersOf(set).map((one) => ({ in: 'header' as const, ...withText(one) }));
}

function withText<T extends { readonly description: string | undefined }>({
  description,
  ...rest
}: T): Omit<T, 'description'> & { description?: string } {
  return description === undefined ? rest : { ...rest, description };
}

function headerRefs(names: readonly AnswerHeader[]): Record<string, Ref> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

function anyOf(shapes: readonly WireShape[]): JsonSchema {
  const [first, ...others] = shapes.map(shapeRef);
  return first !== undefined && others.length === 0 ? first : { anyOf: shapes.map(shapeRef) };
}

function shapeRef(shape: WireShape): JsonSchema {
  return { $ref: `#/components/schemas/${shape}` };
}
