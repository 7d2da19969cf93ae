import { failsWith, type Item, mayFail, says, second, secondMayFail, secondWaits, sentTwice, step } from './item.ts';

const TABLE = 'CREATE OR REPLACE TRANSIENT TABLE {T} ("ID" NUMBER(38,0), "V" VARCHAR)';
const ONE = `INSERT INTO {T} ("ID", "V") SELECT 1, 'a'`;
const COUNT = 'SELECT COUNT(*) AS "N" FROM {T}';

export const TRANSACTIONS: readonly Item[] = [
  {
    name: 'a failed statement leaves the transaction open',
    steps: [step(TABLE), step('BEGIN'), step(ONE), mayFail('SELECT 1 / 0'), step(COUNT), step('ROLLBACK')],
    expected: 'the count inside the transaction is 1, after the division by zero',
    judge: (answers) => answers[3]?.number !== undefined && answers[4]?.rows?.[0]?.['N'] === '1',
    otherwise:
      'A load that fails in the middle does not know whether its transaction is still there; it rolls back in any case, so nothing is lost.',
  },
  {
    name: 'ROLLBACK takes back what the transaction did',
    steps: [step(TABLE), step('BEGIN'), step(ONE), step('ROLLBACK'), step(COUNT)],
    expected: '0',
    judge: says('0'),
    otherwise: 'Nothing that a load does is safe: do not run Tidemark on this account.',
  },
  {
    name: 'DDL commits',
    steps: [
      step(TABLE),
      step('BEGIN'),
      step(ONE),
      step('CREATE OR REPLACE TRANSIENT TABLE {U} ("ID" NUMBER(38,0))'),
      step('ROLLBACK'),
      step(COUNT),
    ],
    expected: '1: CREATE TABLE has committed the row before it',
    judge: says('1'),
    otherwise: 'Harmless: Tidemark keeps DDL out of its transactions, since it would end them.',
  },
  {
    name: 'an open transaction sees what others commit meanwhile',
    steps: [step(TABLE), step('BEGIN'), step(COUNT), second(ONE), step(COUNT), step('ROLLBACK')],
    expected: 'the second count is 1 (READ COMMITTED)',
    judge: (answers) => answers[4]?.rows?.[0]?.['N'] === '1',
    otherwise:
      "A loader reads the table's columns behind the fence, inside its transaction; it could read those of before, and its batch would be refused as SCHEMA.",
  },
  {
    name: "an UPDATE waits for another transaction's lock, and ends with its own number",
    steps: [
      step(TABLE),
      step(ONE),
      second('ALTER SESSION SET LOCK_TIMEOUT = 1'),
      step('BEGIN'),
      step(`UPDATE {T} SET "V" = 'b' WHERE "ID" = 1`),
      secondMayFail(`UPDATE {T} SET "V" = 'c' WHERE "ID" = 1`),
      step('ROLLBACK'),
    ],
    expected: 'error 000625 in the second session',
    judge: (answers) => answers[5]?.number === '000625',
    otherwise: 'A load that waits in vain is told as an unknown error, not as WAREHOUSE_BUSY; it is tried again all the same.',
  },
  {
    name: 'an UPDATE that waited for a lock sees what was committed meanwhile',
    steps: [
      step('CREATE OR REPLACE TRANSIENT TABLE {T} ("TOKEN" NUMBER(38,0))'),
      step('INSERT INTO {T} SELECT 1'),
      step('BEGIN'),
      step('UPDATE {T} SET "TOKEN" = "TOKEN" + 1'),
      secondWaits('UPDATE {T} SET "TOKEN" = "TOKEN" WHERE "TOKEN" = 1'),
      mayFail('CALL SYSTEM$WAIT(3)'),
      step('COMMIT'),
      step('SELECT "TOKEN" FROM {T}'),
    ],
    expected: '`number of rows updated` of the second session is 0, and the token is 2',
    judge: (answers) => answers[4]?.rows?.[0]?.['number of rows updated'] === '0' && answers.at(-1)?.rows?.[0]?.['TOKEN'] === '2',
    otherwise: 'The fence keeps nobody out: run one process a stream, and never a backfill beside a live run, on this account.',
  },
  {
    name: 'a statement that is sent again under its request id is run once',
    steps: [step(TABLE), sentTwice(ONE), step(COUNT)],
    expected: '1',
    judge: says('1'),
    otherwise:
      'Where the driver sends a statement again after a lost answer, it is done twice. A load stays exact all the same: the fence counts one row, and a MERGE that is done again changes nothing. The audit may have rows twice.',
  },
  {
    name: 'a transaction has an id, and what is bound to it does nothing outside of it',
    steps: [
      step(TABLE),
      step('BEGIN'),
      step('SELECT CURRENT_TRANSACTION() AS "V"'),
      step('ROLLBACK'),
      step('SELECT CURRENT_TRANSACTION() AS "V"'),
      step(`INSERT INTO {T} SELECT COALESCE(MAX("ID"), 0) + 1, 'a' FROM {T} HAVING CURRENT_TRANSACTION() = '1'`),
      step(`INSERT INTO {T} SELECT 1, 'a' WHERE CURRENT_TRANSACTION() = '1'`),
      step(COUNT),
    ],
    expected: 'a number, then NULL, then 0',
    judge: (answers) => /^\d+$/.test(answers[2]?.rows?.[0]?.['V'] ?? '') && answers[4]?.rows?.[0]?.['V'] === null && says('0')(answers),
    otherwise:
      'A load whose transaction the service ends while its machine stands still might leave a ledger entry without its rows: keep machines that load from sleeping, and run `tidemark verify`.',
  },
  {
    name: 'UPDATE says how many rows it changed',
    steps: [step(TABLE), step(ONE), step(`UPDATE {T} SET "V" = "V" WHERE "ID" = 1`)],
    expected: '`number of rows updated` is 1, though no value differs',
    judge: (answers) => answers.at(-1)?.rows?.[0]?.['number of rows updated'] === '1',
    otherwise: 'The fence is judged by this number: every load would end with FENCED. Nothing would be loaded wrongly.',
  },
  {
    name: 'a statement ends at its timeout, with its own number',
    steps: [second('ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 1'), secondMayFail('CALL SYSTEM$WAIT(5)')],
    expected: 'error 000630',
    judge: failsWith('000630'),
    otherwise: "A statement that takes too long is cancelled by the loader's own deadline, half a minute later.",
    optional: 'SYSTEM$WAIT may not be there',
  },
];
