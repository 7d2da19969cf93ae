import { WAREHOUSE_ITEMS } from '../../src/inspect/warehouse-checks/index.ts';
import { assumedValues } from '../../src/load/snowflake/cost/assumptions.ts';
import type { Workload } from '../../src/load/snowflake/cost/model.ts';
import { partnerWorkload, spreadWorkload } from '../../src/load/snowflake/cost/recorded.ts';
import { type CostQuestion, costReport, costTable, formatCost } from '../../src/load/snowflake/cost/report.ts';
import { ofMinutes } from '../../src/load/snowflake/cost/shape.ts';
import { AUTO_SUSPEND_SECONDS, administratorScript, administratorSections } from '../../src/load/snowflake/migrations/administrator.ts';
import { personalFields } from '../../src/load/snowflake/migrations/masking.ts';

/** The parts of docs/SNOWFLAKE.md that are made from code, by the name in `<!-- name -->` before them. */
const PARTS: Readonly<Record<string, () => string>> = { administrator, cost, spread, sensitivity, assumptions, checklist };

const SETTINGS: CostQuestion['settings'] = {
  autoSuspendSeconds: AUTO_SUSPEND_SECONDS,
  clusterBy: true,
  keysRise: true,
  files: 8,
  batchRecords: 5_000_000,
  daysHeld: 400,
};
const QUESTION: CostQuestion = {
  workload: partnerWorkload,
  recordsADay: [120_000_000, 300_000_000],
  everyMinutes: [5, 10, 15],
  deadlineSeconds: 900,
  settings: SETTINGS,
};

const block = (language: string, text: string): string => `\`\`\`${language}\n${text}\n\`\`\``;

function administrator(): string {
  const sections = administratorSections({
    database: 'ANALYTICS',
    schema: 'TIDEMARK',
    stageUrl: 's3://bucket/prefix/',
    storageIntegration: 'TIDEMARK_S3',
    roles: { loader: 'TIDEMARK_LOADER', reader: 'TIDEMARK_READER', auditor: 'TIDEMARK_AUDITOR' },
    user: 'TIDEMARK',
    warehouse: 'TIDEMARK_LOADING',
    statementTimeoutSeconds: 600,
    personal: personalFields({ name: 'payments', personal: ['payload.customer.email'] }),
    streams: [{ table: 'PAYMENTS__ROWS', timeColumn: 'UPDATED_AT' }],
  });
  return block('sql', administratorScript(sections));
}

function cost(): string {
  return block('text', costTable(costReport(QUESTION)));
}

function spread(): string {
  return block('text', costTable(costReport({ ...QUESTION, workload: spreadWorkload })));
}

/** Credits a day of the adaptive cadence. */
function sensitivity(): string {
  const known = assumedValues();
  const rates = (factor: number) => ({
    scanRate: known.scanRate * factor,
    probeRate: known.probeRate * factor,
    writeRate: known.writeRate * factor,
  });
  const adaptive = (question: Partial<CostQuestion>, assumed: Partial<typeof known> = {}): string =>
    costReport({ ...QUESTION, ...question }, { ...known, ...assumed })
      .rows.filter(({ cadence }) => cadence === 'adaptive')
      .map(({ day, everyMinutes }) =>
        day ? `${day.credits.toFixed(1)} (${day.settings.size}, every ${everyMinutes}m)`.padEnd(26) : 'never in time'.padEnd(26),
      )
      .join('');
  const lines: readonly (readonly [string, string])[] = [
    ['as above', adaptive({})],
    ['deadline of 30 minutes', adaptive({ deadlineSeconds: 1800 })],
    ['reading, joining and writing twice as fast', adaptive({}, rates(2))],
    ['… half as fast', adaptive({}, rates(0.5))],
    ['a quarter of the partitions read, the join prunes', adaptive({}, { prunedByKey: 0.25 })],
    ['workers.batchRecords 1,000,000, the default', adaptive({ settings: { ...SETTINGS, batchRecords: 1_000_000 } })],
    ['4 files a batch', adaptive({ settings: { ...SETTINGS, files: 4 } })],
    ['replaced rows older than 3 hours merged hourly (not built)', adaptive({ workload: oldOnesHourly })],
    ['keys that are random', adaptive({ settings: { ...SETTINGS, keysRise: false } })],
    ['… and no clusterBy', adaptive({ settings: { ...SETTINGS, keysRise: false, clusterBy: false } })],
  ];
  const width = Math.max(...lines.map(([name]) => name.length)) + 2;
  const head = `${''.padEnd(width)}${'120M a day'.padEnd(26)}300M a day`;
  return block('text', [head, ...lines.map(([name, found]) => `${name.padEnd(width)}${found}`.trimEnd())].join('\n'));
}

/** Live batches without the few rows that replace old ones; those of an hour together, as a sweep. */
function oldOnesHourly(minutes: number): Workload {
  const { live } = partnerWorkload(minutes);
  const isOld = ([slice]: readonly [number, number]): boolean => slice * live.sliceMinutes >= 180;
  const hour = ofMinutes({ ...live, inserted: 0, unchanged: 0, updates: live.updates.filter(isOld) }, 60);
  return { live: { ...live, updates: live.updates.filter((update) => !isOld(update)) }, sweep: hour };
}

function assumptions(): string {
  const text = formatCost(costReport(QUESTION));
  const lines = text.slice(text.indexOf('It takes for granted')).split('\n').slice(1);
  return block('text', lines.map((line) => line.replace(/^ {2}/, '')).join('\n'));
}

function checklist(): string {
  return WAREHOUSE_ITEMS.map(({ name, steps, expected, otherwise, optional }, index) => {
    const sessions = steps.some(({ second }) => second);
    const statements = steps.map(
      ({ sql, second, twice }) =>
        `${sessions ? `/* session ${second ? 2 : 1} */ ` : ''}${twice ? '/* twice, under one request id */ ' : ''}${sql};`,
    );
    return [
      `${index + 1}. **${name[0]?.toUpperCase()}${name.slice(1)}.** Expected: ${expected}.${optional === undefined ? '' : ` Not tried where ${optional}.`} Otherwise: ${otherwise}`,
      block('sql', statements.join('\n')).replaceAll(/^/gm, '   '),
    ].join('\n\n');
  }).join('\n\n');
}

/** The document with its parts made anew. */
export function withParts(text: string): string {
  return Object.entries(PARTS).reduce((document, [name, make]) => {
    const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [from, to] = [document.indexOf(begin), document.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`docs/SNOWFLAKE.md has no ${begin} … ${end}`);
    return `${document.slice(0, from + begin.length)}\n\n${make()}\n\n${document.slice(to)}`;
  }, text);
}
