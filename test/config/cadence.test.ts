import { describe, expect, it } from 'vitest';
import { parseConfiguration } from '../../src/config.ts';
import { HOUR, MINUTE } from '../../src/time.ts';

const SNOWFLAKE = 'snowflake: { account: A, user: U, role: R, warehouse: W, database: D, schema: S, privateKey: "env:KEY" }';

const pollOf = (warehouse: string, poll: string) =>
  parseConfiguration(
    `
store: s3://bucket/prefix
warehouse: ${warehouse}
streams:
  payments:
    source:
      list: http://127.0.0.1:1/events
      query: { since: updated_since, size: page_size, cursor: cursor }
      response: { records: $.data, next: $.next_cursor, more: $.has_more }
    key: [event_id]
    version: [updated_at]
    poll: ${poll}
`,
    'tidemark.yaml',
    { KEY: 'x' },
  ).streams[0]?.poll;

describe('the interval of polls that is not given', () => {
  it('R3: leaves half the deadline to fetch and load, where each load costs a MERGE', () => {
    expect(pollOf(`{ ${SNOWFLAKE} }`, '{}')).toMatchObject({ every: 7 * MINUTE, deadline: 15 * MINUTE });
    expect(pollOf(`{ ${SNOWFLAKE} }`, '{ deadline: 2h }')).toMatchObject({ every: HOUR, deadline: 2 * HOUR });
    expect(pollOf(`{ ${SNOWFLAKE} }`, '{ deadline: 6m }')).toMatchObject({ every: 5 * MINUTE, deadline: 6 * MINUTE });
  });

  it('is five minutes otherwise, and what is given holds everywhere', () => {
    expect(pollOf('duckdb:w.duckdb', '{ deadline: 2h }')).toMatchObject({ every: 5 * MINUTE });
    expect(pollOf(`{ ${SNOWFLAKE} }`, '{ every: 3m }')).toMatchObject({ every: 3 * MINUTE, deadline: 15 * MINUTE });
  });
});
