/** The help of a configuration key, as the schema carries it. */

/** What `describe` needs: a sentence and an example as it would stand in the file. */
export interface KeyHelp {
  readonly description: string;
  readonly example: unknown;
  /** The value never appears in output. */
  readonly secret?: boolean;
}

/** Description and example as schema metadata. */
export function help({ description, example, secret }: KeyHelp): Record<string, unknown> {
  return { description, examples: [example], ...(secret === true ? { writeOnly: true } : {}) };
}
