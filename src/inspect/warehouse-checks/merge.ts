import { failsWith, type Item, mayFail, says, step } from './item.ts';

const TABLE = 'CREATE OR REPLACE TRANSIENT TABLE {T} ("ID" NUMBER(38,0), "V" NUMBER(38,0))';
const merge = (source: string): string =>
  `MERGE INTO {T} AS t USING (${source}) AS s ON t."ID" = s."ID" WHEN MATCHED AND s."V" > t."V" THEN UPDATE SET "V" = s."V" WHEN NOT MATCHED THEN INSERT ("ID", "V") VALUES (s."ID", s."V")`;

export const MERGES: readonly Item[] = [
  {
    name: 'MERGE refuses two rows for one',
    steps: [step(TABLE), step('INSERT INTO {T} SELECT 1, 1'), mayFail(merge('SELECT 1 AS "ID", 2 AS "V" UNION ALL SELECT 1, 3'))],
    expected: 'error 100090',
    judge: failsWith('100090'),
    otherwise:
      'A batch that names a key twice would be loaded in either way. Batches name each key once, and the loader counts that before it merges.',
  },
  {
    name: 'MERGE counts what it inserts and updates',
    steps: [
      step(TABLE),
      step('INSERT INTO {T} SELECT 1, 1 UNION ALL SELECT 2, 9'),
      step(merge('SELECT 1 AS "ID", 2 AS "V" UNION ALL SELECT 2, 3 UNION ALL SELECT 3, 1')),
    ],
    expected: '`number of rows inserted` is 1, `number of rows updated` is 1: the row that lost is in neither',
    judge: (answers) => {
      const row = answers.at(-1)?.rows?.[0];
      return row?.['number of rows inserted'] === '1' && row['number of rows updated'] === '1';
    },
    otherwise: 'Inserted, updated and unchanged of the ledger are wrong; the table is right.',
  },
  {
    name: 'texts are compared by their bytes',
    steps: [step(`SELECT ('a' > 'B') AND ('é' > 'z') AND ('a' BETWEEN 'Z' AND 'b') AS "R"`)],
    expected: 'true',
    judge: says('true', 'TRUE', '1'),
    otherwise:
      'A collation is set on account, database or schema: the literal bounds of a MERGE may leave out rows. Remove DEFAULT_DDL_COLLATION from the schema.',
  },
  {
    name: 'a column that is there already is refused by number',
    steps: [step(TABLE), mayFail('ALTER TABLE {T} ADD COLUMN "V" VARCHAR')],
    expected: 'error 001430',
    judge: failsWith('001430'),
    otherwise: 'Two loaders that add the same column at once: one of them fails, and goes on with its next try.',
  },
  {
    name: 'precision can grow in place, scale cannot',
    steps: [
      step('CREATE OR REPLACE TRANSIENT TABLE {T} ("A" NUMBER(18,2), "B" VARCHAR(10))'),
      step('ALTER TABLE {T} ALTER COLUMN "A" SET DATA TYPE NUMBER(38,2)'),
      step('ALTER TABLE {T} ALTER COLUMN "B" SET DATA TYPE VARCHAR(100)'),
      mayFail('ALTER TABLE {T} ALTER COLUMN "A" SET DATA TYPE NUMBER(38,4)'),
    ],
    expected: 'the first two are done, the last is refused',
    judge: (answers) => answers.at(-1)?.number !== undefined,
    otherwise: 'Harmless: for another scale Tidemark adds a column, as it would have to elsewhere.',
  },
];
