import type { Command } from 'commander';
import { openEngine } from '../engine.ts';
import { TidemarkError } from '../errors.ts';
import { publishedBatches, standingOf } from '../inspect/batches.ts';
import { type OpenInspection, openInspection } from '../inspect/inspection.ts';
import { plural } from '../inspect/text.ts';
import { type ExplainedBatch, explainBatch } from '../load/snowflake/explain.ts';
import { migrationContext } from '../load/snowflake/migrations/index.ts';
import type { Batch } from '../manifest/documents.ts';
import { withBatchFiles } from '../pipeline/load-batch.ts';
import type { Configuration, SnowflakeConfig, Stream } from '../stream.ts';
import { type Answer, type CommonOptions, invoke, oneStream, selectStreams, withCommonOptions } from './command.ts';
import { table } from './terminal.ts';

interface PlanOptions extends CommonOptions {
  readonly batch?: string;
  readonly sql?: boolean;
}

/** Batches that wait are many only after an outage; the first ones tell enough. */
const MOST_BATCHES = 10;
const MEMORY_BYTES = 256 * 1024 * 1024;

export function addPlan(parent: Command): void {
  const command = parent
    .command('plan')
    .description('how the batches that wait, or else the last one, would be merged: strata, and what of the table they can touch')
    .option('--batch <id>', 'this batch; its id or the beginning of it')
    .option('--sql', 'print the MERGE statements as well');
  withCommonOptions(command, 'tidemark warehouse plan --stream payments').action((options: PlanOptions) =>
    invoke(options, async ({ configuration, clock }) => {
      const settings = configuration();
      const stream = oneStream(selectStreams(settings, options.stream));
      const { warehouse } = settings;
      if (warehouse.kind === 'duckdb') return byKeys(warehouse.path);
      const inspection = await openInspection(settings, { clock });
      try {
        const batches = await batchesOf(inspection, stream, options.batch);
        const plans = await explainAll(settings, warehouse, inspection, stream, batches);
        return { json: { stream: stream.name, batches: plans }, text: formatPlans(stream, plans, options.sql ?? false) };
      } finally {
        await inspection.close();
      }
    }),
  );
}

const byKeys = (path: string): Answer => ({
  json: { warehouse: 'duckdb', path, batches: [] },
  text: `${path} is a DuckDB warehouse: it finds rows by their keys and has no partitions to leave out.`,
});

async function batchesOf({ store, warehouse }: OpenInspection, stream: Stream, wanted: string | undefined): Promise<readonly Batch[]> {
  const { batches } = await publishedBatches(store, stream.name);
  if (wanted !== undefined)
    return found(
      batches.filter(({ id }) => id.startsWith(wanted)),
      `stream ${stream.name} has no batch ${wanted}`,
    );
  const standing = await standingOf(store, stream.name, await warehouse.ledger(stream.name));
  const waiting = batches.filter(({ id }) => standing.stateOf(id) === 'not loaded').slice(0, MOST_BATCHES);
  return waiting.length > 0 ? waiting : found(batches.slice(-1), `stream ${stream.name} has no batch yet`);
}

function found(batches: readonly Batch[], otherwise: string): readonly Batch[] {
  if (batches.length > 0) return batches;
  throw new TidemarkError({ code: 'NOT_FOUND', message: otherwise, hint: 'Batches come with `tidemark run` or `tidemark normalize`.' });
}

async function explainAll(
  { store, workers }: Configuration,
  config: SnowflakeConfig,
  inspection: OpenInspection,
  stream: Stream,
  batches: readonly Batch[],
): Promise<readonly ExplainedBatch[]> {
  const place = migrationContext(config, store);
  const { threads, scratch } = workers;
  const engine = await openEngine({ path: ':memory:', threads, memoryBytes: MEMORY_BYTES, tempDirectory: scratch });
  try {
    const plans: ExplainedBatch[] = [];
    for (const batch of batches) {
      const explain = (files: readonly string[]): Promise<ExplainedBatch> => explainBatch(engine, place, stream, batch, files);
      plans.push(await withBatchFiles({ store: inspection.store, scratch }, batch, explain));
    }
    return plans;
  } finally {
    await engine.close();
  }
}

function formatPlans(stream: Stream, plans: readonly ExplainedBatch[], withSql: boolean): string {
  const blocks = plans.map(({ batch, rows, strata }) => {
    const head = ['stratum', 'rows', ...stream.key.map(({ name }) => name), 'dates', 'days it can touch'];
    const lines = strata.map((stratum) => [
      stratum.name,
      stratum.rows,
      ...stratum.keys.map(({ low, high }) => (low === high ? low : `${low} … ${high}`)),
      `${stratum.days.first} … ${stratum.days.last}`,
      stratum.partitionDays === null ? 'all: no clusterBy' : String(stratum.partitionDays),
    ]);
    const statements = withSql ? strata.map(({ merge }) => `\n${merge};`) : [];
    return [`batch ${batch}, ${plural(rows, 'row')}`, table([head, ...lines]), ...statements].join('\n');
  });
  return blocks.join('\n\n');
}
