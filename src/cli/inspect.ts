import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { threadPoolSize } from '../config.ts';
import { type Check, doctor, doctorExitCode } from '../inspect/doctor.ts';
import { formatDoctor } from '../inspect/doctor-text.ts';
import { doctorWarehouse, type WarehouseCheck } from '../inspect/doctor-warehouse.ts';
import { formatWarehouseDoctor } from '../inspect/doctor-warehouse-text.ts';
import { type OpenInspection, openInspection } from '../inspect/inspection.ts';
import { status } from '../inspect/status.ts';
import { formatStatus } from '../inspect/status-text.ts';
import { verify } from '../inspect/verify.ts';
import { formatVerify } from '../inspect/verify-text.ts';
import { why } from '../inspect/why.ts';
import { formatWhy } from '../inspect/why-text.ts';
import { openStore } from '../store/open.ts';
import type { Stream } from '../stream.ts';
import {
  type Answer,
  type CommonOptions,
  type Invocation,
  instantOption,
  invoke,
  oneStream,
  requireForward,
  selectStreams,
  withCommonOptions,
} from './command.ts';
import { gravest } from './exit.ts';

interface VerifyCommandOptions extends CommonOptions {
  readonly from?: string;
  readonly to?: string;
}

type Question<O extends CommonOptions> = (
  inspection: OpenInspection,
  streams: readonly Stream[],
  invocation: Invocation<O>,
) => Promise<Answer>;

/** Asks without changing anything: the store is not probed, the warehouse is opened for reading. */
function ask<O extends CommonOptions>(options: O, question: Question<O>): Promise<void> {
  return invoke(options, async (invocation) => {
    const configuration = invocation.configuration();
    const streams = selectStreams(configuration, options.stream);
    const inspection = await openInspection(configuration, { clock: invocation.clock });
    try {
      return await question(inspection, streams, invocation);
    } finally {
      await inspection.close();
    }
  });
}

export function addStatus(program: Command): void {
  const command = program.command('status').description('where each stream stands: what is late, why, what is safe, what to do');
  withCommonOptions(command, 'tidemark status').action((options: CommonOptions) =>
    ask(options, async (inspection, streams, { terminal }) => {
      const report = await status(inspection, streams);
      return { exit: report.exitCode, json: report, text: formatStatus(report, terminal.paint) };
    }),
  );
}

export function addWhy(program: Command): void {
  const command = program
    .command('why <key...>')
    .description('the line from a curated row back to the bytes: every observation, which won and why');
  withCommonOptions(command, 'tidemark why evt_123 --stream payments\n  tidemark why prod/evt_123 --stream payments').action(
    (key: string[], options: CommonOptions) =>
      ask(options, async (inspection, streams, { terminal }) => {
        const report = await why(inspection, oneStream(streams), key);
        return { json: report, text: formatWhy(report, terminal.paint) };
      }),
  );
}

export function addVerify(program: Command): void {
  const command = program.command('verify').description('do raw bytes, manifests, sightings and warehouse agree');
  command.option('--from <time>', 'only windows that reach into this range, from').option('--to <time>', '… to');
  withCommonOptions(command, 'tidemark verify --from 2026-11-01 --to 2026-11-02').action((options: VerifyCommandOptions) =>
    ask(options, async (inspection, streams, { terminal }) => {
      const range = {
        ...(options.from === undefined ? {} : { from: instantOption('--from', options.from) }),
        ...(options.to === undefined ? {} : { to: instantOption('--to', options.to) }),
      };
      requireForward(range);
      const reports = [];
      for (const stream of streams) reports.push(await verify(inspection, stream, range));
      return {
        exit: gravest(reports.map((report) => report.exitCode)),
        json: reports,
        text: reports.map((report) => formatVerify(report, terminal.paint)).join('\n\n'),
      };
    }),
  );
}

export function addDoctor(program: Command): void {
  const command = program.command('doctor').description('is everything reachable and allowed');
  command.option(
    '--warehouse',
    'instead: does the Snowflake account behave as the loader takes for granted; asks some 70 small statements',
  );
  withCommonOptions(command, 'tidemark doctor\n  tidemark doctor --warehouse').action((options: DoctorOptions) =>
    invoke(options, async (invocation) => {
      const { paint } = invocation.terminal;
      if (options.warehouse) {
        const checks = await tryWarehouse(invocation);
        return { exit: doctorExitCode(checks), json: checks, text: formatWarehouseDoctor(checks, paint) };
      }
      const checks = await look(invocation);
      return { exit: doctorExitCode(checks), json: checks, text: formatDoctor(checks, paint) };
    }),
  );
}

interface DoctorOptions extends CommonOptions {
  readonly warehouse?: boolean;
}

function look({ configuration, clock, options }: Invocation<DoctorOptions>): Promise<readonly Check[]> {
  const settings = configuration();
  const streams = selectStreams(settings, options.stream);
  return doctor({ ...settings, streams }, { clock, nodeVersion: process.version, threadPoolSize: threadPoolSize() });
}

async function tryWarehouse({ configuration, clock }: Invocation<DoctorOptions>): Promise<readonly WarehouseCheck[]> {
  const settings = configuration();
  const store = await openStore(settings.store, { clock, randomId: randomUUID, random: Math.random });
  return doctorWarehouse(settings, { clock, store });
}
