import { type Item, says, step } from './item.ts';

export const SESSIONS: readonly Item[] = [
  {
    name: 'the session counts in UTC',
    steps: [step(`SELECT TO_VARCHAR(TO_TIMESTAMP_LTZ(1700000000123456, 6), 'YYYY-MM-DD"T"HH24:MI:SS.FF6') AS "T"`)],
    expected: '2023-11-14T22:13:20.123456',
    judge: says('2023-11-14T22:13:20.123456'),
    otherwise: "A parameter of account or user overrides the session's TIMEZONE: cluster dates would be of another zone.",
  },
  {
    name: 'the query tag is in the history',
    steps: [
      step(
        `SELECT COUNT(*) > 0 AS "R" FROM TABLE("{DATABASE}".INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION(RESULT_LIMIT => 20)) WHERE CONTAINS("QUERY_TAG", '"app":"tidemark"')`,
      ),
    ],
    expected: 'true',
    judge: says('true', 'TRUE', '1'),
    otherwise: 'Costs cannot be told by stream and batch; loading is not touched by it.',
    optional: 'the role may not read its own history',
  },
  {
    name: 'columns and views are made with their comments',
    steps: [
      step("CREATE OR REPLACE TRANSIENT TABLE {T} (\"A\" NUMBER(38,0) NOT NULL COMMENT 'a') COMMENT = 't'"),
      step('ALTER TABLE {T} ADD COLUMN "B" VARCHAR COMMENT \'b\', "C" NUMBER(38,2) COMMENT \'c\''),
      step('CREATE OR REPLACE VIEW {U} ("A" COMMENT \'a\', "B" COMMENT \'b\') COPY GRANTS COMMENT = \'v\' AS SELECT "A", "B" FROM {T}'),
      step('SELECT COUNT(*) AS "N" FROM {U}'),
      step('DROP VIEW {U}'),
    ],
    expected: 'all are accepted, and the count is 0',
    judge: (answers) => answers[3]?.rows?.[0]?.['N'] === '0',
    otherwise: 'The table of a stream cannot be made: the first load fails before anything is loaded.',
    refused: 'The table of a stream cannot be made: the first load fails before anything is loaded.',
  },
  {
    name: 'OBJECT_INSERT leaves out what is NULL',
    steps: [step(`SELECT TO_JSON(OBJECT_INSERT(OBJECT_CONSTRUCT('a', 1), 'b', NULL, TRUE)) AS "V"`)],
    expected: '{"a":1}',
    judge: says('{"a":1}'),
    otherwise: 'Structs with personal members read as null, where a record lacks one of them.',
  },
  {
    name: 'numbers in VARIANT keep their digits',
    steps: [step(`SELECT TO_JSON(PARSE_JSON('{"a":12345678901234567890.12}')) AS "V"`)],
    expected: '{"a":12345678901234567890.12}',
    judge: says('{"a":12345678901234567890.12}'),
    otherwise: 'Amounts inside of structs are not exact in VARIANT.',
  },
];

/** Needs the administrator's policies (Enterprise Edition), and simulates the roles. */
export const GOVERNANCE: readonly Item[] = [
  {
    name: 'a personal field is masked for the reader',
    steps: [
      step('CREATE OR REPLACE TRANSIENT TABLE {T} ("V" VARCHAR)'),
      step(`ALTER TABLE {T} MODIFY COLUMN "V" SET TAG {PERSONAL} = 'value'`),
      step(`INSERT INTO {T} SELECT 'secret'`),
      step(`EXECUTE USING POLICY_CONTEXT(CURRENT_ROLE => '{READER}') AS SELECT "V" FROM {T}`),
    ],
    expected: '***',
    judge: says('***'),
    otherwise:
      'Personal data is readable: the tag has no masking policy. Let an administrator run what `tidemark warehouse migrate --script` prints.',
    optional: 'the policies are not there, or the role may not simulate another',
  },
  {
    name: 'a struct of which nothing more is known is masked as a whole for the reader',
    steps: [
      step('CREATE OR REPLACE TRANSIENT TABLE {T} ("V" VARIANT)'),
      step(`ALTER TABLE {T} MODIFY COLUMN "V" SET TAG {PERSONAL} = 'members', {MEMBERS} = 'no_stream.no_field'`),
      step(`INSERT INTO {T} SELECT PARSE_JSON('{"a":1}')`),
      step(`EXECUTE USING POLICY_CONTEXT(CURRENT_ROLE => '{READER}') AS SELECT TO_JSON("V") AS "V" FROM {T}`),
    ],
    expected: '"***"',
    judge: says('"***"'),
    otherwise:
      'The policy cannot read the tag of its column: members of structs may be readable. Do not let readers in before this is right.',
    optional: 'the policies are not there, or the role may not simulate another',
  },
  {
    name: 'a personal field is not masked for the loader, and a decimal keeps its digits under the policy',
    steps: [
      step('CREATE OR REPLACE TRANSIENT TABLE {T} ("V" NUMBER(38,2))'),
      step(`ALTER TABLE {T} MODIFY COLUMN "V" SET TAG {PERSONAL} = 'value'`),
      step('INSERT INTO {T} SELECT 123.45'),
      step('SELECT "V"::VARCHAR AS "V" FROM {T}'),
    ],
    expected: '123.45',
    judge: says('123.45'),
    otherwise:
      "The loader sees masked or rounded values, and `verify` will say that rows differ. Name the loader's role in the policies, as the script does.",
    optional: 'the policies are not there',
  },
  {
    name: 'rows of a sandbox are kept from the reader',
    steps: [
      step(`CREATE OR REPLACE TRANSIENT TABLE {T} ("ENVIRONMENT" VARCHAR) WITH ROW ACCESS POLICY {POLICY} ON ("ENVIRONMENT")`),
      step(`INSERT INTO {T} SELECT 'prod' UNION ALL SELECT 'sandbox'`),
      step(`EXECUTE USING POLICY_CONTEXT(CURRENT_ROLE => '{READER}') AS SELECT COUNT(*) AS "N" FROM {T}`),
    ],
    expected: '1',
    judge: says('1'),
    otherwise: 'Readers see rows of the sandbox. Let an administrator run what `tidemark warehouse migrate --script` prints.',
    optional: 'the policies are not there, or the role may not simulate another',
  },
];
