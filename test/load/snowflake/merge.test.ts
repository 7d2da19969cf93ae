import { describe, expect, test } from 'vitest';
import { EMPTY, grown, type Layout } from '../../../src/load/snowflake/layout.ts';
import { type MergeTarget, mergeSql } from '../../../src/load/snowflake/merge.ts';
import { type Stratum, strataOf } from '../../../src/load/snowflake/strata.ts';
import type { RecordSchema } from '../../../src/schema/types.ts';
import { unionSchemas } from '../../../src/schema/union.ts';
import { DAY, HOUR } from '../../../src/time.ts';
import { number } from '../../support/canonical-json.ts';
import { decimal, integer, text } from '../../support/typed-sql.ts';
import { expectedTable, makeStream, type Observation, observe, START, schemaOf, tableOf } from '../support.ts';
import { snowflakeBench } from './bench.ts';

const bench = snowflakeBench();
const stream = makeStream();

const layoutFor = (...schemas: readonly RecordSchema[]): Layout =>
  schemas.reduce<Layout>((layout, schema) => grown(stream, layout, schema, unionSchemas(layout.schema, schema), new Map()).layout, EMPTY);

const target = (change: Partial<MergeTarget> = {}): MergeTarget => ({
  place: { database: 'DB', schema: 'SC' },
  stream,
  batch: { schema: schemaOf(1, { amount: integer }), maxTime: Date.UTC(2026, 10, 20, 9) * 1000 },
  staging: 'S',
  layout: layoutFor(schemaOf(1, { amount: integer }), schemaOf(2, { amount: decimal(18, 2) })),
  now: START,
  ...change,
});

const stratum: Stratum = {
  name: 'late',
  rows: 3,
  keys: [
    { low: 'prod', high: 'prod' },
    { low: 'evt_01', high: "evt_9'\\" },
  ],
  days: { first: '2026-11-02', last: '2026-11-18' },
};

describe('R12, R15: a merge', () => {
  test('keeps the greater of (version, content hash), within literal bounds on the key, and leaves the cluster date alone', () => {
    expect(mergeSql(target(), stratum)).toBe(
      `MERGE INTO "DB"."SC"."PAYMENTS__ROWS" AS t
USING (SELECT i."ENVIRONMENT" AS "ENVIRONMENT", i."EVENT_ID" AS "EVENT_ID", i."UPDATED_AT" AS "UPDATED_AT", i."EVENT_VERSION" AS "EVENT_VERSION", NULL::NUMBER(38,0) AS "AMOUNT", i."AMOUNT"::NUMBER(38,2) AS "AMOUNT__2", i."_OVERFLOW" AS "_OVERFLOW", i."_PAGE" AS "_PAGE", i."_POSITION" AS "_POSITION", i."_CONTENT_HASH" AS "_CONTENT_HASH", i."_BATCH" AS "_BATCH", TO_TIMESTAMP_LTZ(1793491200000000, 6) AS "_LOADED_AT", i."UPDATED_AT"::DATE AS "_CLUSTER_DATE" FROM "DB"."SC_STAGING"."S" AS i WHERE i."UPDATED_AT"::DATE >= '2026-10-22'::DATE AND i."UPDATED_AT"::DATE < '2026-11-19'::DATE) AS s
ON t."ENVIRONMENT" = s."ENVIRONMENT" AND t."EVENT_ID" = s."EVENT_ID" AND t."ENVIRONMENT" BETWEEN 'prod' AND 'prod' AND t."EVENT_ID" BETWEEN 'evt_01' AND 'evt_9''\\\\'
WHEN MATCHED AND (s."UPDATED_AT" > t."UPDATED_AT" OR (s."UPDATED_AT" = t."UPDATED_AT" AND (s."EVENT_VERSION" > t."EVENT_VERSION" OR (s."EVENT_VERSION" = t."EVENT_VERSION" AND s."_CONTENT_HASH" > t."_CONTENT_HASH")))) THEN UPDATE SET "UPDATED_AT" = s."UPDATED_AT", "EVENT_VERSION" = s."EVENT_VERSION", "AMOUNT" = s."AMOUNT", "AMOUNT__2" = s."AMOUNT__2", "_OVERFLOW" = s."_OVERFLOW", "_PAGE" = s."_PAGE", "_POSITION" = s."_POSITION", "_CONTENT_HASH" = s."_CONTENT_HASH", "_BATCH" = s."_BATCH", "_LOADED_AT" = s."_LOADED_AT"
WHEN NOT MATCHED THEN INSERT ("ENVIRONMENT", "EVENT_ID", "UPDATED_AT", "EVENT_VERSION", "AMOUNT", "AMOUNT__2", "_OVERFLOW", "_PAGE", "_POSITION", "_CONTENT_HASH", "_BATCH", "_LOADED_AT", "_CLUSTER_DATE") VALUES (s."ENVIRONMENT", s."EVENT_ID", s."UPDATED_AT", s."EVENT_VERSION", s."AMOUNT", s."AMOUNT__2", s."_OVERFLOW", s."_PAGE", s."_POSITION", s."_CONTENT_HASH", s."_BATCH", s."_LOADED_AT", s."_CLUSTER_DATE")`,
    );
  });

  test('is bounded by date where the date follows from the record, but for rows that had none', () => {
    const clustered = makeStream({ clusterBy: 'created_at' });
    const schema = schemaOf(1, { created_at: text });
    const bounded = target({ stream: clustered, batch: { schema, maxTime: START }, layout: layoutFor(schema) });
    const sql = mergeSql(bounded, stratum);
    expect(sql).toContain(
      `(t."_CLUSTER_DATE" BETWEEN '2026-11-02'::DATE AND '2026-11-18'::DATE OR t."_CLUSTER_DATE" = '1970-01-01'::DATE)`,
    );
    expect(sql).toContain(`COALESCE(TRY_TO_TIMESTAMP_LTZ(i."CREATED_AT"::VARCHAR)::DATE, '1970-01-01'::DATE) AS "_CLUSTER_DATE"`);
    const withNone = { ...stratum, days: { first: '1970-01-01', last: '2026-11-18' } };
    expect(mergeSql(bounded, withNone)).not.toContain('t."_CLUSTER_DATE"');
  });

  test('of what a transform made looks at which transform made the row that is there', () => {
    const sql = mergeSql(target({ batch: { ...target().batch, transform: 3 } }), stratum);
    expect(sql).toContain(`(s."_CONTENT_HASH" = t."_CONTENT_HASH" AND 3 > s."_HELD_TRANSFORM")`);
    expect(sql).toContain(`LEFT JOIN "DB"."SC"."TIDEMARK_TRANSFORMS" AS m ON (m."STREAM" = 'payments' AND m."BATCH" = h."_BATCH")`);
  });
});

test('strata come fresh first, with the ends of their keys and days', () => {
  const row = { STRATUM: 'wide', N: '2', L0: 'prod', H0: 'prod', L1: 'a', H1: 'b', FIRST_DAY: '2025-01-01', LAST_DAY: '2025-01-02' };
  expect(strataOf([row, { ...row, STRATUM: 'fresh', N: '5' }], stream)).toEqual([
    expect.objectContaining({ name: 'fresh', rows: 5 }),
    {
      name: 'wide',
      rows: 2,
      keys: [
        { low: 'prod', high: 'prod' },
        { low: 'a', high: 'b' },
      ],
      days: { first: '2025-01-01', last: '2025-01-02' },
    },
  ]);
});

const at = (id: string, days: number, fields: Observation['fields'] = {}): Observation => ({
  key: ['prod', id],
  version: [START + HOUR + days * DAY, 1],
  fields,
});

describe('R15: a batch with rows of all ages', () => {
  test('is merged in three parts, each key once, whatever dates their first rows had', async () => {
    const warehouse = bench.open();
    const schema = schemaOf(1, { note: text });
    await warehouse.migrate(stream, schema);
    const old = [at('a', -400), at('b', -20), at('c', 0), at('d', -400)];
    const young = [at('a', 0), at('b', -10), at('c', -10), at('d', -300), at('e', -15), at('f', -500), at('g', 0)];
    for (const [id, rows] of [
      ['old', old],
      ['young', young],
    ] as const) {
      const { batch } = await bench.batch(id, schema, rows);
      bench.server.statements.length = 0;
      await warehouse.load(stream, batch, [], null);
      expect(bench.server.statements.filter(({ sql }) => /^MERGE INTO .*__ROWS/.test(sql))).toHaveLength(3);
    }
    expect(await tableOf(warehouse, stream)).toEqual(expectedTable([...old, ...young], schema));
    expect(await warehouse.summary(stream)).toMatchObject({ rows: 7, distinct: 7 });
    const [moved] = await bench.sql(
      `SELECT TO_VARCHAR("_CLUSTER_DATE", 'YYYY-MM-DD') AS "DAY" FROM "PAYMENTS__ROWS" WHERE "EVENT_ID" = 'a'`,
    );
    expect(moved).toEqual({ DAY: '2025-09-27' });
  });

  test('loses none where one part ends and the next begins', async () => {
    const warehouse = bench.open();
    const schema = schemaOf(1, { note: text });
    const rows = Array.from({ length: 33 }, (_, days) => at(`k${days}`, -days));
    await warehouse.migrate(stream, schema);
    const { batch } = await bench.batch('all', schema, rows);
    expect(await warehouse.load(stream, batch, [], null)).toMatchObject({ inserted: 33, unchanged: 0 });
  });

  test('is bounded by a date that never changes, and finds rows that had no such date, or have lost it', async () => {
    const warehouse = bench.open();
    const clustered = makeStream({ clusterBy: 'created_at' });
    const schema = schemaOf(1, { created_at: text });
    const born = { created_at: '2026-01-05T10:00:00Z' };
    const rounds = [
      [observe('known', 1, born), observe('late', 1, {}), observe('odd', 1, { created_at: 'yesterday' })],
      [observe('known', 2, born), observe('late', 2, born), observe('odd', 2, born), observe('new', 1, born)],
      [observe('known', 3, {}), observe('late', 3, {}), observe('new', 2, born)],
      [observe('known', 4, born), observe('late', 4, born), observe('odd', 3, {})],
    ];
    for (const [index, rows] of rounds.entries()) {
      await warehouse.migrate(clustered, schema);
      const { batch } = await bench.batch(`b${index}`, schema, rows);
      await warehouse.load(clustered, batch, [], null);
    }
    expect(await tableOf(warehouse, clustered)).toEqual(expectedTable(rounds.flat(), schema));
    expect(await warehouse.summary(clustered)).toMatchObject({ rows: 4, distinct: 4 });
    const dates = bench.server.statements.filter(({ sql }) => /^MERGE INTO .*BETWEEN '2026-01-05'::DATE AND '2026-01-05'::DATE/s.test(sql));
    expect(dates).not.toEqual([]);
    await expect(warehouse.migrate(stream, schema)).rejects.toMatchObject({
      code: 'CONFIG',
      message: expect.stringMatching(/clusterBy created_at; .* clusterBy none/),
    });
  });

  test.each([
    ['epoch-s', number(1767607200n, 0)],
    ['epoch-ms', number(1767607200123n, 0)],
    ['epoch-us', number(1767607200123456n, 0)],
  ] as const)('knows dates that are numbers (%s)', async (form, created) => {
    const clustered = makeStream({ clusterBy: 'created_at', version: [{ name: 'updated_at', form }, { name: 'event_version' }] });
    const schema = schemaOf(1, { created_at: integer });
    const warehouse = bench.open();
    await warehouse.migrate(clustered, schema);
    const { batch } = await bench.batch('one', schema, [observe('1', 1, { created_at: created })]);
    await warehouse.load(clustered, batch, [], null);
    expect(await bench.sql(`SELECT TO_VARCHAR("_CLUSTER_DATE", 'YYYY-MM-DD') AS "DAY" FROM "PAYMENTS__ROWS"`)).toEqual([
      { DAY: '2026-01-05' },
    ]);
  });
});
