import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AdministratorContext,
  administratorScript,
  administratorSections,
} from '../../../src/load/snowflake/migrations/administrator.ts';
import { rowAccessClause, tagStatements } from '../../../src/load/snowflake/migrations/attach.ts';
import { maskedValueSql, maskingStatements, personalFields } from '../../../src/load/snowflake/migrations/masking.ts';
import { Driver, keyLogin, keyPair } from '../../support/snowflake/driver.ts';
import { type SnowflakeServer, startSnowflakeServer } from '../../support/snowflake/server.ts';

const PERSONAL = { name: 'payments', personal: ['payload.customer.email', 'payload.customer.name', 'payload.ip', 'email'] };
const CONTEXT: AdministratorContext = {
  database: 'DB',
  schema: 'SC',
  stageUrl: 's3://bucket/prefix/',
  storageIntegration: 'TIDEMARK_S3',
  roles: { loader: 'TIDEMARK_LOADER', reader: 'TIDEMARK_READER', auditor: 'TIDEMARK_AUDITOR' },
  user: 'TIDEMARK',
  warehouse: 'LOADING',
  statementTimeoutSeconds: 600,
  personal: personalFields(PERSONAL),
  streams: [{ table: 'PAYMENTS__ROWS', timeColumn: 'UPDATED_AT' }],
};
const STREAM = {
  ...PERSONAL,
  key: [
    { name: 'environment', constant: null },
    { name: 'event_id', constant: null },
  ],
  environment: null,
};

const { privateKey, publicKey } = keyPair();
let server: SnowflakeServer;
let driver: Driver;

beforeAll(async () => {
  server = await startSnowflakeServer({
    users: [{ name: 'LOADER', publicKey, defaultRole: 'ACCOUNTADMIN', roles: [] }],
    databases: { DB: ['SC'] },
    warehouses: ['WH'],
    integrations: ['TIDEMARK_S3'],
    readStaged: async () => null,
  });
  driver = await Driver.login(server, { ...keyLogin(privateKey), schema: 'SC' });
});
afterAll(async () => {
  await driver.close();
  await server.close();
});

describe("the administrator's script", () => {
  const sections = administratorSections(CONTEXT);
  const all = sections.flatMap(({ statements }) => statements);

  it('R16: a reader gets views alone, and never a table', () => {
    const reader = all.filter((statement) => statement.startsWith('GRANT') && statement.endsWith('TO ROLE "TIDEMARK_READER"'));
    expect(reader.toSorted()).toEqual([
      'GRANT SELECT ON ALL VIEWS IN SCHEMA "DB"."SC" TO ROLE "TIDEMARK_READER"',
      'GRANT SELECT ON FUTURE VIEWS IN SCHEMA "DB"."SC" TO ROLE "TIDEMARK_READER"',
      'GRANT USAGE ON DATABASE "DB" TO ROLE "TIDEMARK_READER"',
      'GRANT USAGE ON SCHEMA "DB"."SC" TO ROLE "TIDEMARK_READER"',
    ]);
  });

  it('R16: the auditor reads and changes nothing, and nobody but the loader gets into the staging schema or the bucket', () => {
    const auditor = all.filter((statement) => statement.includes('TO ROLE "TIDEMARK_AUDITOR"'));
    expect(auditor.every((statement) => /^GRANT (USAGE|SELECT) ON /.test(statement))).toBe(true);
    const others = all.filter((statement) => /TO ROLE "TIDEMARK_(READER|AUDITOR)"/.test(statement));
    expect(others.filter((statement) => /STAGING|STAGE|INTEGRATION|WAREHOUSE/.test(statement))).toEqual([]);
  });

  it('R16: nobody gets everything, and nothing is granted that is not needed', () => {
    expect(all.filter((statement) => /GRANT (ALL|OWNERSHIP ON (?!TASK)|.*MANAGE|.*APPLY MASKING)/.test(statement))).toEqual([]);
    expect(all.filter((statement) => /GRANT (?!OPERATE ON TASK).* TO ROLE "?(PUBLIC|SYSADMIN|ACCOUNTADMIN)/.test(statement))).toEqual([]);
  });

  it('can be repeated: whatever is created may be there already', () => {
    const creations = all.filter((statement) => statement.startsWith('CREATE'));
    expect(creations.length).toBeGreaterThan(15);
    expect(creations.filter((statement) => !statement.includes(' IF NOT EXISTS '))).toEqual([]);
  });

  it('says each section with the role that runs it, and ends each statement', () => {
    const script = administratorScript(sections);
    for (const { title } of sections) expect(script).toContain(`-- ${title}`);
    expect(script.match(/^USE ROLE (ACCOUNTADMIN|SYSADMIN|USERADMIN|SECURITYADMIN);$/gm)?.length).toBe(sections.length);
    expect(script.match(/;\n|;$/g)?.length).toBeGreaterThanOrEqual(all.length);
  });

  it('leaves out what the configuration does not have', () => {
    const less = administratorSections({ ...CONTEXT, user: undefined, storageIntegration: undefined, streams: [] });
    const text = administratorScript(less);
    expect(text).not.toMatch(/CREATE USER|STORAGE INTEGRATION|NETWORK POLICY|CREATE TASK/);
    expect(text).toContain('CREATE ROLE');
  });

  it('R5: rows go after seven years, and only those that were not updated since', () => {
    const task = all.find((statement) => statement.startsWith('CREATE TASK')) ?? '';
    expect(task).toContain('DELETE FROM "DB"."SC"."PAYMENTS__ROWS"');
    expect(task.match(/DATEADD\(YEAR, -7, CURRENT_DATE\(\)\)/g)?.length).toBe(2);
    expect(task).toContain('"UPDATED_AT" <');
  });
});

describe('personal fields', () => {
  it('are known by their top-level field; the whole field covers its members', () => {
    expect(personalFields(PERSONAL)).toEqual([
      { stream: 'payments', field: 'payload', members: [['customer', 'email'], ['customer', 'name'], ['ip']] },
      { stream: 'payments', field: 'email', members: [] },
    ]);
    expect(personalFields({ name: 's', personal: ['a.b', 'a'] })).toEqual([{ stream: 's', field: 'a', members: [] }]);
  });

  it('R16: every column that holds one is tagged, whatever its type has become', () => {
    const columns = [
      { name: 'EMAIL', field: 'email', type: 'VARCHAR' },
      { name: 'EMAIL__2', field: 'email', type: 'VARCHAR' },
      { name: 'PAYLOAD', field: 'payload', type: 'VARIANT' },
      { name: 'PAYLOAD__2', field: 'payload', type: 'VARCHAR' },
      { name: 'AMOUNT', field: 'amount', type: 'NUMBER(38,2)' },
    ];
    const place = { database: 'DB', schema: 'SC' };
    const tag = 'ALTER TABLE "DB"."SC"."PAYMENTS__ROWS" MODIFY COLUMN';
    expect(tagStatements(place, PERSONAL, 'PAYMENTS__ROWS', columns)).toEqual([
      `${tag} "EMAIL" SET TAG "DB"."SC"."TIDEMARK_PERSONAL" = 'value'`,
      `${tag} "EMAIL__2" SET TAG "DB"."SC"."TIDEMARK_PERSONAL" = 'value'`,
      `${tag} "PAYLOAD" SET TAG "DB"."SC"."TIDEMARK_PERSONAL" = 'members', "DB"."SC"."TIDEMARK_PERSONAL_MEMBERS" = 'payments.payload'`,
      `${tag} "PAYLOAD__2" SET TAG "DB"."SC"."TIDEMARK_PERSONAL" = 'value'`,
    ]);
  });

  it('R16: the loader sees them, whoever else does not, by every type that a column may have', () => {
    const statements = maskingStatements(CONTEXT, CONTEXT.personal);
    const bodies = statements.filter((statement) => statement.startsWith('ALTER MASKING POLICY'));
    expect(bodies.map((statement) => /TIDEMARK_MASK_(\w+)/.exec(statement)?.[1])).toEqual([
      'VARCHAR',
      'VARIANT',
      'NUMBER',
      'BOOLEAN',
      'TIMESTAMP',
      'DATE',
    ]);
    for (const body of bodies) expect(body).toContain("CASE WHEN IS_ROLE_IN_SESSION('TIDEMARK_LOADER') OR VAL IS NULL THEN VAL ELSE");
    expect(statements.filter((statement) => statement.startsWith('ALTER TAG')).length).toBe(bodies.length);
  });

  it('of a struct, the named members are masked and nothing else is; a missing one stays missing, a null stays null', async () => {
    const cases = [
      [
        '{"amount":1234567890123456.78,"customer":{"email":"a@b","id":7}}',
        '{"amount":1234567890123456.78,"customer":{"email":"***","id":7}}',
      ],
      ['{"customer":{"email":null,"id":7}}', '{"customer":{"email":null,"id":7}}'],
      ['{"customer":[{"email":"a@b"}]}', '{"customer":"***"}'],
      ['{"customer":{"id":7}}', '{"customer":{"id":7}}'],
      ['{}', '{}'],
      ['["a"]', '"***"'],
    ];
    const source = cases.map(([json], index) => `SELECT ${index} AS N, PARSE_JSON('${json}') AS V`).join(' UNION ALL ');
    const masked = maskedValueSql('V', [['customer', 'email']]);
    const rows = await driver.rows(`SELECT TO_JSON(${masked}) AS "M" FROM (${source}) ORDER BY N`);
    expect(rows.map((row) => row['M'])).toEqual(cases.map(([, expected]) => expected));
  });
});

describe('rows of a sandbox', () => {
  const place = { database: 'DB', schema: 'SC' };
  const columns = [{ name: 'ENVIRONMENT', field: 'environment' }];

  it('R6: are kept from readers by a policy on the column of the environment, if there is one', () => {
    const clause = ' WITH ROW ACCESS POLICY "DB"."SC"."TIDEMARK_ENVIRONMENT" ON ("ENVIRONMENT")';
    expect(rowAccessClause(place, STREAM, columns)).toBe(clause);
    const field = { key: [{ name: 'mode', constant: null }], environment: { field: 'mode' } };
    expect(rowAccessClause(place, field, [{ name: 'MODE', field: 'mode' }])).toBe(clause.replace('ENVIRONMENT")', 'MODE")'));
    expect(rowAccessClause(place, { key: [{ name: 'id', constant: null }], environment: null }, columns)).toBe('');
  });
});

describe('on the server', () => {
  it('the script runs from beginning to end, and once more', async () => {
    const statements = administratorSections(CONTEXT).flatMap((section) => [`USE ROLE ${section.role}`, ...section.statements]);
    // The stand-in keeps grants where an owner changes; Snowflake has to be told.
    const sent = statements.map((statement) => statement.replace(' COPY CURRENT GRANTS', ''));
    for (const statement of [...sent, ...sent]) await driver.execute(statement);
    const granted = server.catalogue.grants.filter(({ grantee }) => grantee === 'TIDEMARK_READER');
    expect(granted.map(({ privilege, on }) => `${privilege} ON ${on}`).toSorted()).toEqual([
      'SELECT ON ALL VIEWS IN SCHEMA',
      'SELECT ON FUTURE VIEWS IN SCHEMA',
      'USAGE ON DATABASE',
      'USAGE ON SCHEMA',
    ]);
  });
});
