/** What fakesnow 0.12.1 cannot do, and the tests that need it, by how their names begin. docs/SNOWFLAKE-EMULATOR.md has the whole list. */
export interface Limit {
  readonly reason: string;
  readonly tests: readonly string[];
}

export const LIMITS: readonly Limit[] = [
  {
    reason: 'fakesnow: OBJECT_INSERT takes no VARIANT that was cast to OBJECT',
    tests: [
      'a field whose twin in another case comes moves into the overflow',
      'the view goes where its column has gone to the overflow',
      'what moved to the overflow is shown there',
    ],
  },
  { reason: 'fakesnow: decimals in a VARIANT are doubles', tests: ['R7, R11, R22: any order, any repetition'] },
  { reason: 'fakesnow: no quotes in quoted names', tests: ['columns may bear any name'] },
  { reason: 'fakesnow: no TRY_TO_TIMESTAMP_LTZ', tests: ['is bounded by a date that never changes'] },
  { reason: 'fakesnow: of two DDL at once, one fails', tests: ['by several at once ends in what all of them need'] },
  { reason: 'fakesnow: no faults', tests: ['that died at'] },
  { reason: 'fakesnow: no record of what was sent', tests: ['is merged in three parts'] },
  { reason: 'fakesnow: no comments in a view, no tags, no policies', tests: ['R16: says of every column what it holds'] },
];
