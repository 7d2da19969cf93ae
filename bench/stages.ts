import { rm } from 'node:fs/promises';
import { type Measured, runStage } from './child.ts';
import type { Options } from './options.ts';
import { startPartnerProcess } from './partner-process.ts';
import { type Job, storeFolder } from './setup.ts';

/** Everything that one run of the bench measured. */
export interface Measurements {
  readonly written: Measured<{ bytes: number; distinct: number }>;
  readonly fetch: Measured<{ records: number; pages: number }>;
  readonly partnerCpuSeconds: number;
  /** CPU seconds of what the fetch does for the stages behind it, done once more by itself. */
  readonly landing: Measured<{ reading: number; index: number }>;
  readonly rounds: readonly Round[];
  readonly load: Measured<{ inserted: number; updated: number }>;
  /** Into the table of the first load: half of the rows new, half later versions. */
  readonly loadFilled: Measured<{ inserted: number; updated: number }>;
  readonly table: Measured<{ rows: number; hash: string }>;
}

/** The normalizer and what it is held against, one after the other: all of a round had the same machine. */
export interface Round {
  /** Bodies that nobody measured. */
  readonly foreign: Measured<Normalized>;
  readonly normalize: Measured<Normalized>;
  /** The same window again, all of which is loaded. */
  readonly seen: Measured<Normalized>;
  readonly floor: Measured<{ rows: number }>;
  readonly textbook: Measured<{ rows: number }>;
  /** On the pages as they landed. */
  readonly textbookOnPages: Measured<{ rows: number }>;
}

export interface Normalized {
  readonly batches: number;
  readonly observations: number;
  readonly rows: number;
  readonly quarantined: number;
}

/** Runs every stage in a process of its own, never two at a time but for the partner, which fetch needs. */
export async function runStages(job: Job, { runs }: Options, say: (doing: string) => void): Promise<Measurements> {
  say('writing the events as NDJSON, for the textbook query');
  const written: Measurements['written'] = await runStage('stage-write.ts', job);
  say('fetch');
  const { fetch, partnerCpuSeconds } = await fetchFromPartner(job);
  say('reading and indexing the pages once more');
  const landing: Measurements['landing'] = await runStage('stage-landing.ts', job);
  const rounds: Round[] = [];
  for (let run = 1; run <= runs; run++) {
    say(`normalize, and what it is held against, ${run} of ${runs}`);
    rounds.push(await runRound(job));
  }
  say('load');
  const load: Measurements['load'] = await runStage('stage-load.ts', job);
  say('load into a filled table');
  await runStage('stage-later.ts', job);
  const loadFilled: Measurements['loadFilled'] = await runStage('stage-load.ts', job, 'filled');
  say('hashing the table');
  const table: Measurements['table'] = await runStage('stage-hash.ts', job);
  return { written, fetch, partnerCpuSeconds, landing, rounds, load, loadFilled, table };
}

async function runRound(job: Job): Promise<Round> {
  const foreign: Round['foreign'] = await runStage('stage-foreign.ts', job);
  const floor: Round['floor'] = await runStage('stage-floor.ts', job);
  const normalize: Round['normalize'] = await runStage('stage-normalize.ts', job);
  const textbook: Round['textbook'] = await runStage('stage-textbook.ts', job, 'lines');
  const seen: Round['seen'] = await runStage('stage-seen.ts', job);
  return { foreign, normalize, seen, floor, textbook, textbookOnPages: await runStage('stage-textbook.ts', job, 'pages') };
}

export async function fetchFromPartner(job: Job): Promise<Pick<Measurements, 'fetch' | 'partnerCpuSeconds'>> {
  await rm(storeFolder(job), { recursive: true, force: true });
  const partner = await startPartnerProcess(job);
  let partnerCpuSeconds = 0;
  try {
    const fetch: Measurements['fetch'] = await runStage('stage-fetch.ts', { ...job, partnerUrl: partner.url });
    return { fetch, partnerCpuSeconds: (partnerCpuSeconds = await partner.stop()) };
  } finally {
    if (partnerCpuSeconds === 0) await partner.stop();
  }
}
