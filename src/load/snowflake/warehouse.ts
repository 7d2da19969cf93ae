import { randomUUID } from 'node:crypto';
import type { Clock, Micros } from '../../clock.ts';
import { type InTurn, turns } from '../../concurrency.ts';
import type { Batch } from '../../manifest/documents.ts';
import type { RecordSchema } from '../../schema/types.ts';
import type { SnowflakeConfig, Stream } from '../../stream.ts';
import { HOUR } from '../../time.ts';
import { UnknownOutcome } from '../commit.ts';
import type {
  CuratedIdentity,
  CuratedRow,
  LedgerEntry,
  LoadOutcome,
  LoadPreview,
  MoneyTally,
  QuarantinedPlace,
  TableSummary,
  Warehouse,
} from '../warehouse.ts';
import { type BatchWork, settle } from './commit.ts';
import { dropStaging, findLeftovers } from './copy.ts';
import { dropQuietly, loadOnce } from './load.ts';
import { migrateStream } from './migrate.ts';
import { keptName } from './migrations/names.ts';
import { type Place, stagingName } from './names.ts';
import { type PreviewLimits, previewStaged } from './preview.ts';
import { queryRows } from './query.ts';
import { findRows, readContents, readLedger, readRows, readSummary, readTally } from './read.ts';
import type { SnowflakeSession } from './session.ts';
import { Sessions, type SessionsOptions } from './sessions.ts';
import * as sql from './statements.ts';
import { readStreamTable, requireMigrations, rows, run } from './tables.ts';

export interface SnowflakeWarehouseOptions extends PreviewLimits {
  readonly config: SnowflakeConfig;
  readonly clock: Clock;
  readonly open?: SessionsOptions['open'];
  readonly randomId?: () => string;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Records of a batch that may not enter; none where left out. */
  readonly quarantined?: ((batch: Batch) => Promise<readonly QuarantinedPlace[]>) | undefined;
}

/** No load lasts so long, unless its statements may: a staging table that is older was left behind. */
const LEFTOVER_AGE = 6 * HOUR;

/**
 * Snowflake as the warehouse. Batches come from the bucket by a stage, so that nothing passes through this machine. Loads of one stream take
 * turns within this process; between processes the fence decides, and whoever was fenced begins its transaction anew: the other one may be a
 * backfill beside a live run, both with every right to load.
 */
export class SnowflakeWarehouse implements Warehouse {
  readonly url: string;
  readonly readsStore = true;
  readonly #options: SnowflakeWarehouseOptions;
  readonly #place: Place;
  readonly #clock: Clock;
  readonly #sessions: Sessions;
  readonly #turns = new Map<string, InTurn>();
  /** When each stream's leftovers were looked for last, by the monotonic clock. */
  readonly #tidied = new Map<string, number>();
  #isMigrated = false;

  constructor(options: SnowflakeWarehouseOptions) {
    const { config, clock } = options;
    this.url = `snowflake:${config.account}/${config.database}.${config.schema}`;
    this.#options = options;
    this.#place = { database: keptName(config.database), schema: keptName(config.schema) };
    this.#clock = clock;
    this.#sessions = new Sessions(options);
  }

  migrate(stream: Stream, schema: RecordSchema): Promise<void> {
    return this.#inTurn(stream.name, () =>
      this.#use({ stream: stream.name }, (session) => migrateStream(session, this.#place, stream, schema, this.#clock.now())),
    );
  }

  ledger(stream: string): Promise<readonly LedgerEntry[]> {
    return this.#use({ stream }, (session) => readLedger(session, this.#place, stream));
  }

  /** The files are those that the batch names, as the bucket has them. */
  async load(stream: Stream, batch: Batch, _files: readonly string[], watermark: Micros | null): Promise<LoadOutcome> {
    const { randomId = randomUUID } = this.#options;
    const quarantined = batch.counts.quarantined > 0 ? ((await this.#options.quarantined?.(batch)) ?? []) : [];
    const staging = stagingName(stream.name, batch.id, randomId().slice(0, 8));
    const work: BatchWork = { place: this.#place, stream, batch, staging, watermark, quarantined, now: this.#clock.now() };
    return this.#inTurn(stream.name, () => this.#load(work));
  }

  preview(stream: Stream, batch: Batch, files: readonly string[]): Promise<LoadPreview> {
    return this.#use({ stream: stream.name, batch: batch.id }, (session) =>
      previewStaged(session, this.#place, this.#options, stream, batch, files),
    );
  }

  async advance(stream: string, watermark: Micros): Promise<void> {
    await this.#use({ stream }, (session) => run(session, sql.moveWatermark(this.#place, stream, watermark, this.#clock.now())));
  }

  watermark(stream: string): Promise<Micros | null> {
    return this.#use({ stream }, async (session) => {
      const [row] = await rows(session, sql.readWatermark(this.#place, stream));
      const micros = row?.['WATERMARK'] ?? null;
      return micros === null ? null : Number(micros);
    });
  }

  find(stream: Stream, key: readonly (string | null)[]): Promise<readonly CuratedRow[]> {
    return this.#use({ stream: stream.name }, async (session) => {
      const table = await readStreamTable(session, this.#place, stream);
      return table ? findRows(session, { place: this.#place, stream, layout: table.layout }, key) : [];
    });
  }

  summary(stream: Stream): Promise<TableSummary> {
    return this.#use({ stream: stream.name }, async (session) =>
      (await readStreamTable(session, this.#place, stream))
        ? readSummary(session, { place: this.#place, stream })
        : { rows: 0, distinct: 0, latest: null },
    );
  }

  rows(stream: Stream): AsyncIterable<CuratedIdentity> {
    const place = this.#place;
    return this.#stream(stream, async function* (session) {
      if (await readStreamTable(session, place, stream)) yield* readRows(session, { place, stream });
    });
  }

  tally(stream: Stream, from: Micros, to: Micros): AsyncIterable<MoneyTally> {
    const place = this.#place;
    return this.#stream(stream, async function* (session) {
      const table = await readStreamTable(session, place, stream);
      if (table) yield* readTally(session, { place, stream, layout: table.layout }, from, to);
    });
  }

  contents(stream: Stream): AsyncIterable<CuratedRow> {
    const place = this.#place;
    return this.#stream(stream, async function* (session) {
      const table = await readStreamTable(session, place, stream);
      if (table) yield* readContents(session, { place, stream, layout: table.layout });
    });
  }

  /** @throws WAREHOUSE for whatever is no query. */
  query(statement: string): Promise<readonly Record<string, unknown>[]> {
    return this.#sessions.use({}, (session) => queryRows(session, statement));
  }

  close(): Promise<void> {
    return this.#sessions.close();
  }

  async #load(work: BatchWork): Promise<LoadOutcome> {
    const tag = { stream: work.stream.name, batch: work.batch.id };
    const { random = Math.random } = this.#options;
    try {
      return await this.#use(tag, async (session) => {
        await this.#tidy(session, work.stream);
        return loadOnce(session, work, { clock: this.#clock, random });
      });
    } catch (error) {
      if (!(error instanceof UnknownOutcome)) throw error;
      return this.#use(tag, async (session) => {
        try {
          return await settle(session, work, error, random);
        } finally {
          await dropQuietly(session, work);
        }
      });
    }
  }

  /** What a load left that was killed costs storage alone, so it is enough to look now and then. */
  async #tidy(session: SnowflakeSession, stream: Stream): Promise<void> {
    const [now, age] = [this.#clock.monotonicMs(), Math.max(LEFTOVER_AGE, 4 * this.#options.config.statementTimeout)];
    const last = this.#tidied.get(stream.name);
    if (last !== undefined && now - last < LEFTOVER_AGE / 1000) return;
    for (const row of await rows(session, findLeftovers(this.#place, stream.name, this.#clock.now() - age)))
      await session.run(dropStaging(this.#place, row['TABLE_NAME'] ?? ''));
    this.#tidied.set(stream.name, now);
  }

  #inTurn<T>(stream: string, work: () => Promise<T>): Promise<T> {
    const inTurn = this.#turns.get(stream) ?? turns();
    this.#turns.set(stream, inTurn);
    return inTurn(work);
  }

  #use<T>(tag: SnowflakeSession['tag'], work: (session: SnowflakeSession) => Promise<T>): Promise<T> {
    return this.#sessions.use(tag, async (session) => {
      await this.#requireMigrations(session);
      return work(session);
    });
  }

  #stream<T>(stream: Stream, work: (session: SnowflakeSession) => AsyncIterable<T>): AsyncIterable<T> {
    const ready = (session: SnowflakeSession): Promise<void> => this.#requireMigrations(session);
    return this.#sessions.stream({ stream: stream.name }, async function* (session) {
      await ready(session);
      yield* work(session);
    });
  }

  async #requireMigrations(session: SnowflakeSession): Promise<void> {
    if (!this.#isMigrated) await requireMigrations(session, this.#place);
    this.#isMigrated = true;
  }
}
