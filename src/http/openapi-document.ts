/** The parts of OpenAPI 3.1 that this server's document has. */

import type { ERROR_CATALOGUE, REJECTION_CATALOGUE } from '../protocol/errors.ts';
import type { JsonSchema } from '../protocol/wire-schemas.ts';

/** A reference to a component. */
export interface Ref {
  readonly $ref: string;
}

/** A header or a parameter; a header has no `name` and no `in`. */
export interface DescribedParameter {
  readonly name?: string;
  readonly in?: 'query' | 'header';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
}

/**
 * A body. JSON lines have the schema of one line in `x-line-schema`, streams of events that of the
 * data of each event in `x-event-schemas`.
 */
export interface MediaType {
  readonly schema: JsonSchema;
  readonly 'x-line-schema'?: JsonSchema;
  readonly 'x-event-schemas'?: Readonly<Record<string, JsonSchema>>;
}

/** One status of an operation. */
export interface DescribedResponse {
  readonly description: string;
  readonly headers: Readonly<Record<string, Ref>>;
  readonly content?: Readonly<Record<string, MediaType>>;
}

/** One method of a path. */
export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters: readonly (DescribedParameter | Ref)[];
  readonly requestBody?: {
    readonly required: true;
    readonly content: Readonly<Record<string, MediaType>>;
  };
  readonly responses: Readonly<Record<string, DescribedResponse | Ref>>;
  /** Messages of an open connection, by who sends them. */
  readonly 'x-messages'?: Readonly<Record<string, readonly JsonSchema[]>>;
}

/** The document. */
export interface OpenApiDocument {
  readonly openapi: '3.1.1';
  readonly info: Readonly<Record<string, unknown>> & {
    readonly title: string;
    readonly version: string;
    readonly description: string;
  };
  readonly servers: readonly { readonly url: string }[];
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly responses: Readonly<Record<string, DescribedResponse>>;
    readonly parameters: Readonly<Record<string, DescribedParameter>>;
    readonly headers: Readonly<Record<string, DescribedParameter>>;
    readonly securitySchemes: Readonly<Record<string, object>>;
  };
  /** What is answered where no operation was reached. */
  readonly 'x-outside-operations': Readonly<Record<string, DescribedResponse | Ref>>;
  /** What the codes of failed requests and of rejected changes mean. */
  readonly 'x-error-codes': typeof ERROR_CATALOGUE;
  readonly 'x-rejection-codes': typeof REJECTION_CATALOGUE;
}
