import type { Command } from 'commander';
import { isTidemarkError, messageOf } from '../errors.ts';
import { FAULT_PROFILES, type FaultProfileName } from '../partner/faults.ts';
import { formatInstant } from '../time.ts';
import { durationOption, instantOption, invoke, usage } from './command.ts';
import { EXIT } from './exit.ts';

interface PartnerCommandOptions {
  readonly port: string;
  readonly seed: string;
  readonly faults: string;
  readonly start?: string;
  readonly span: string;
  readonly rate: string;
  readonly pace: string;
  readonly key: string;
  readonly json?: boolean;
}

export function addPartner(program: Command): void {
  program
    .command('partner')
    .description('the simulated partner as a server: payments and settlements, with faults')
    .option('--port <number>', 'to listen on at 127.0.0.1', '8080')
    .option('--seed <number>', 'every partner with the same seed is the same', '1')
    .option('--faults <profile>', Object.keys(FAULT_PROFILES).join(', '), 'hostile')
    .option('--start <time>', 'first instant of the world (default: so that it ends now)')
    .option('--span <duration>', 'how much time the world has', '72h')
    .option('--rate <records>', 'payments records a second; settlements are a fifth of it', '0.5')
    .option('--pace <factor>', "how fast the partner's clock runs; 1 is real time", '1')
    .option('--key <token>', 'bearer token that is accepted', 'partner-key')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  tidemark partner --port 8080 --seed 7 --faults brutal')
    .action((options: PartnerCommandOptions) =>
      invoke({ config: '', ...(options.json ? { json: true } : {}) }, ({ terminal, signal }) => serve(options, terminal, signal)),
    );
}

async function serve(options: PartnerCommandOptions, terminal: { note(text: string): void }, signal: AbortSignal) {
  const span = durationOption('--span', options.span);
  const now = Date.now() * 1000;
  const start = options.start === undefined ? now - span : instantOption('--start', options.start);
  const rate = number('--rate', options.rate);
  // Only here: loading node:http costs every command's start.
  const { startPartner } = await import('../partner/server.ts');
  const partner = await startPartner({
    port: port(options.port),
    seed: number('--seed', options.seed),
    faults: profile(options.faults),
    start,
    // A world that runs on with the clock has no end that anybody would reach.
    end: start + span * 1000,
    growEvery: Math.floor(span / 4),
    now: start + span,
    pace: number('--pace', options.pace),
    keys: [options.key],
    payments: { recordsPerSecond: rate },
    settlements: { recordsPerSecond: rate / 5 },
  }).catch((error: unknown) => {
    if (isTidemarkError(error)) throw error;
    throw usage(`the partner cannot listen: ${messageOf(error)}`, 'Name another port with --port; 0 takes any free one.');
  });
  terminal.note(
    `partner at ${partner.url} (seed ${options.seed}, faults ${options.faults}); its clock reads ${formatInstant(partner.now())}. End with Ctrl-C.`,
  );
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  const stats = partner.stats();
  await partner.close();
  return { exit: EXIT.done, json: stats, text: JSON.stringify(stats, null, 2) };
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0 && text.trim() !== '') return value;
  throw usage(`${name} is no number: ${text}`, 'Write digits.');
}

function port(text: string): number {
  const value = number('--port', text);
  if (Number.isInteger(value) && value < 65_536) return value;
  throw usage(`--port is no port: ${text}`, 'Write a whole number below 65536; 0 takes any free one.');
}

function profile(name: string): FaultProfileName {
  if (name in FAULT_PROFILES) return name as FaultProfileName;
  throw usage(`there is no fault profile ${name}`, `There are: ${Object.keys(FAULT_PROFILES).join(', ')}.`);
}
