import { type Answer, type Item, lastValue, mayFail, says, step } from './item.ts';

/** The file that the items read: one row, made by the same engine and with the same settings as the files of batches. */
export const FILE_ROW = `SELECT CAST('1234567890123456789012345678.1234567890' AS DECIMAL(38, 10)) AS "amount",
  make_timestamptz(1700000000123456) AS "at", '\\N' AS "text", 'é\u{1F600}' AS "name",
  {'a': 1, 'b': CAST(NULL AS VARCHAR), 'd': CAST('12345678901234567890.12' AS DECIMAL(38, 2))} AS "payload",
  MAP {'k': 'v'} AS "overflow"`;

const copy = (columns: string, expressions: string, force = true): string =>
  `COPY INTO {T} (${columns}) FROM (SELECT ${expressions} FROM @{STAGE}) FILES = ('{FILE}') FILE_FORMAT = (FORMAT_NAME = '{FORMAT}')${force ? ' FORCE = TRUE' : ''} ON_ERROR = ABORT_STATEMENT`;
const table = (columns: string): string => `CREATE OR REPLACE TRANSIENT TABLE {T} (${columns})`;

const UNREADABLE =
  "Nothing can be loaded: the stage's URL, the integration's ALLOWED_LOCATIONS, or the IAM role's trust and rights on the prefix are wrong.";

const member = (answers: readonly Answer[], name: string): unknown => {
  const value = JSON.parse(lastValue(answers) ?? 'null') as Record<string, unknown> | null;
  return value?.[name];
};

export const FILES: readonly Item[] = [
  {
    name: 'the stage reads the bucket',
    steps: [step(table('"N" VARCHAR')), step(copy('"N"', '$1:"name"::VARCHAR')), step('SELECT "N" FROM {T}')],
    expected: 'é😀',
    judge: says('é\u{1F600}'),
    otherwise: UNREADABLE,
    refused: UNREADABLE,
  },
  {
    name: 'COPY with FORCE loads a named file again',
    steps: [
      step(table('"N" VARCHAR')),
      ...[1, 2].map(() => step(copy('"N"', '$1:"name"::VARCHAR'))),
      step('SELECT COUNT(*) AS "N" FROM {T}'),
    ],
    expected: '2',
    judge: says('2'),
    otherwise:
      'A staging table that a killed load has filled stays empty at the next try: the load ends with CORRUPT, since the rows are not those of the batch.',
  },
  {
    name: 'COPY names the file that it has loaded, and how many rows it had',
    steps: [step(table('"N" VARCHAR')), step(copy('"N"', '$1:"name"::VARCHAR'))],
    expected: '`file` ends in the key of the file, `rows_loaded` is 1',
    judge: (answers) => {
      const { file, rows_loaded: loaded } = answers.at(-1)?.rows?.[0] ?? {};
      return /(^|\/)probe\/[0-9a-f-]+\.parquet$/.test(file ?? '') && loaded === '1';
    },
    otherwise: 'Every load ends with CORRUPT, since its files cannot be told apart. Nothing is loaded wrongly.',
  },
  {
    name: 'a named file that is not there is an error',
    steps: [step(table('"N" VARCHAR')), mayFail(copy('"N"', '$1:"name"::VARCHAR').replace('{FILE}', '{FILE}.none'))],
    expected: 'an error',
    judge: (answers) => answers.at(-1)?.number !== undefined,
    otherwise: 'Harmless: the loader counts the rows of each file, and ends with CORRUPT where one is missing.',
  },
  {
    name: 'a DECIMAL(38, x) of Parquet keeps its digits',
    steps: [step(table('"V" NUMBER(38,10)')), step(copy('"V"', '$1:"amount"::NUMBER(38,10)')), step('SELECT "V"::VARCHAR AS "V" FROM {T}')],
    expected: '1234567890123456789012345678.1234567890',
    judge: says('1234567890123456789012345678.1234567890'),
    otherwise: 'Money is not exact: do not load. The number passes through a double on its way.',
  },
  {
    name: 'a timestamp of Parquet keeps its microseconds and its zone',
    steps: [
      step(table('"V" TIMESTAMP_LTZ(6)')),
      step(copy('"V"', '$1:"at"::TIMESTAMP_LTZ(6)')),
      step('SELECT DATE_PART(EPOCH_MICROSECOND, "V")::VARCHAR AS "V" FROM {T}'),
    ],
    expected: '1700000000123456',
    judge: says('1700000000123456'),
    otherwise: "Versions are compared by it: do not load. USE_LOGICAL_TYPE is not on, or the session's TIMEZONE is not UTC.",
  },
  {
    name: 'a text \\N is a text',
    steps: [step(table('"V" VARCHAR')), step(copy('"V"', '$1:"text"::VARCHAR')), step('SELECT "V" FROM {T}')],
    expected: '\\N',
    judge: says('\\N'),
    otherwise:
      'NULL_IF of the file format TIDEMARK_PARQUET is not empty: such a text arrives as null. Drop the file format and run `tidemark warehouse migrate` on a version that has it.',
  },
  {
    name: 'a MAP of Parquet arrives as an object, or as a list of keys and values',
    steps: [step(table('"V" VARIANT')), step(copy('"V"', '$1:"overflow"::VARIANT')), step('SELECT TO_JSON("V") AS "V" FROM {T}')],
    expected: '{"k":"v"}, or {"key_value":[{"key":"k","value":"v"}]}',
    judge: says('{"k":"v"}', '{"key_value":[{"key":"k","value":"v"}]}', '[{"key":"k","value":"v"}]'),
    otherwise:
      'Fields that no column holds (_overflow) arrive in a form that `why` and `verify` do not know; they are in raw all the same.',
  },
  {
    name: 'a null in a struct stays null, or is left out',
    steps: [step(table('"V" VARIANT')), step(copy('"V"', '$1:"payload"::VARIANT')), step('SELECT TO_JSON("V") AS "V" FROM {T}')],
    expected: '{"a":1,"b":null,…}, or {"a":1,…}',
    judge: (answers) => member(answers, 'a') === 1 && (member(answers, 'b') ?? null) === null,
    otherwise: 'A null reads as something else in the column: tell the readers of it.',
  },
  {
    name: 'a decimal in a struct keeps its digits',
    steps: [
      step(table('"V" VARIANT')),
      step(copy('"V"', '$1:"payload"::VARIANT')),
      step('SELECT "V":"d"::NUMBER(38,2)::VARCHAR AS "V" FROM {T}'),
    ],
    expected: '12345678901234567890.12',
    judge: says('12345678901234567890.12'),
    otherwise:
      'Amounts inside of structs are not exact in VARIANT; certificates and `verify` will say so for the money that the configuration names.',
  },
];
