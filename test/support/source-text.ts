/** The `source` of a stream that the bundled partner serves, as it stands in a configuration. */
export interface SourceText {
  readonly list: string;
  /** The field that the lookup endpoint asks by; without it there is no lookup. */
  readonly lookupBy?: string;
  /** A reference: `env:NAME` or `file:PATH`. */
  readonly secret: string;
  readonly pageSize: number;
  readonly attempts: number;
  readonly requestsPerMinute: number;
}

export const sourceText = ({ list, lookupBy, secret, pageSize, attempts, requestsPerMinute }: SourceText): string => `    source:
      list: ${list}
${lookupBy === undefined ? '' : `      lookup: ${list}/{${lookupBy}}\n`}      auth: { bearer: ${secret} }
      query: { since: updated_since, size: page_size, cursor: cursor }
      response: { records: $.data, next: $.next_cursor, more: $.has_more }
      pageSize: ${pageSize}
      attempts: ${attempts}
      requestsPerMinute: ${requestsPerMinute}
      timeout: 10s`;
