import { relative } from 'node:path';
import type { Command } from 'commander';
import type { DemoReport, StreamProgress, StreamProof } from '../demo/demo.ts';
import { plural, WIDTH, wrap } from '../inspect/text.ts';
import { MINUTE } from '../time.ts';
import { programName } from './as-typed.ts';
import { instantOption, invoke, usage } from './command.ts';
import { EXIT } from './exit.ts';
import { type Paint, type Terminal, table } from './terminal.ts';

interface DemoCommandOptions {
  readonly seed: string;
  readonly rate: string;
  readonly folder: string;
  readonly now?: string;
  readonly json?: boolean;
}

/** Some 30,000 keys in the 53 hours of the world: enough to look around in, and less than a minute. */
const RATE = 0.2;
/** With fewer, no poll would have pages enough for the worker to be killed in the middle of one. */
const LEAST_RATE = 0.005;

export function addDemo(program: Command): void {
  program
    .command('demo')
    .description('both streams from a hostile partner into a table, and the proof that it is exact')
    .option('--seed <number>', "of the partner's world and faults", '7')
    .option('--rate <records>', `payments records a second; settlements are a quarter of it; ${LEAST_RATE} or more`, String(RATE))
    .option('--folder <dir>', 'where store and warehouse are put', 'data/demo')
    .option('--now <time>', 'the end of the world, to repeat a run exactly (default: this minute)')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  tidemark demo --seed 42')
    .action((options: DemoCommandOptions) =>
      invoke({ config: '', ...(options.json ? { json: true } : {}) }, ({ terminal }) => demo(options, terminal)),
    );
}

async function demo(options: DemoCommandOptions, terminal: Terminal) {
  const seed = Number(options.seed);
  if (!Number.isSafeInteger(seed) || seed < 0) throw usage(`--seed is no whole number: ${options.seed}`, 'Write digits: --seed 42.');
  const rate = Number(options.rate);
  if (!Number.isFinite(rate) || rate < LEAST_RATE)
    throw usage(`--rate ${options.rate}`, `It takes a number from ${LEAST_RATE} on: --rate 1.`);
  const now = options.now === undefined ? Math.floor((Date.now() * 1000) / MINUTE) * MINUTE : instantOption('--now', options.now);
  const say = (event: string, live: readonly StreamProgress[]): void => {
    if (event !== '') terminal.note(event);
    terminal.live(progressLines(live));
  };
  // Only here: loading the partner's node:http costs every command's start.
  const { runDemo } = await import('../demo/demo.ts');
  const report = await runDemo({ folder: options.folder, seed, rate, now, say });
  return { exit: report.proved ? EXIT.done : EXIT.failed, json: report, text: formatReport(report, terminal.paint) };
}

const WIRE = ['', 'asked', 'retried', 'duplicated', 'short', 'refused', 'pages', 'records'];

function progressLines(streams: readonly StreamProgress[]): string[] {
  return streams.length === 0 ? [] : table([[...WIRE, 'rows'], ...streams.map((stream) => [...wire(stream), stream.rows])]).split('\n');
}

const wire = ({ stream, totals: t }: StreamProgress): (string | number)[] => [
  stream,
  t.asked,
  t.retried,
  t.duplicated,
  t.short,
  t.refused,
  t.pages,
  t.records,
];

function formatReport(report: DemoReport, paint: Paint): string {
  const faults = Object.entries(report.faults)
    .map(([kind, times]) => `${kind} ${times}`)
    .join(', ');
  return [
    '',
    paint('bold', 'What came over the wire'),
    table([
      [...WIRE, 'distinct', 'quarantined'],
      ...report.streams.map((stream) => [...wire(stream), stream.proof.keys, stream.quarantined]),
    ]),
    ...wrap(`faults that the partner made: ${faults}`, WIDTH).map((line) => paint('dim', line)),
    paint('dim', `the worker was killed ${plural(report.kills, 'time')}`),
    '',
    paint('bold', "The warehouse, held against the partner's own truth"),
    table([
      ['', 'keys', 'rows', 'missing', 'duplicated', 'stale', 'altered', 'foreign', 'gaps'],
      ...report.streams.map(({ stream, proof: p, gaps }) => [
        stream,
        p.keys,
        p.rows,
        p.missing,
        p.duplicated,
        p.stale,
        p.altered,
        p.foreign,
        gaps,
      ]),
    ]),
    ...report.streams.flatMap((stream) => stream.proof.samples.map((sample) => `  ${stream.stream} ${sample}`)),
    '',
    report.proved
      ? paint('good', `Proved: every record once, none lost, none altered (seed ${report.seed}, ${report.seconds.toFixed(1)} s).`)
      : paint('bad', `NOT proved. Repeat with: ${programName()} demo --seed ${report.seed} --rate ${report.rate} --now ${report.now}`),
    '',
    'Worth typing next:',
    ...nextCommands(report),
  ].join('\n');
}

function nextCommands({ configuration, streams }: DemoReport): string[] {
  const config = relative(process.cwd(), configuration);
  const program = programName();
  const payments: StreamProof | undefined = streams.find((stream) => stream.stream === 'payments');
  return [
    `  ${program} status --config ${config}`,
    `  ${program} why ${payments?.sampleKey ?? ''} --stream payments --config ${config}`,
    `  ${program} query "SELECT event_type, count(*) AS events, sum(payload.amount) AS amount FROM payments GROUP BY 1 ORDER BY 1" --config ${config}`,
  ];
}
