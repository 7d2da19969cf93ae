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
  /** One after the other, in turns. */
  readonly pairs: readonly { readonly normalize: Measured<Normalized>; readonly textbook: Measured<{ rows: number }> }[];
  /** The textbook query on the pages as they landed. */
  readonly textbookOnPages: Measured<{ rows: number }>;
  readonly load: Measured<{ inserted: number; updated: number }>;
  /** Into the table of the first load: half of the rows new, half later versions. */
  readonly loadFilled: Measured<{ inserted: number; updated: number }>;
  readonly table: Measured<{ rows: number; hash: string }>;
}

interface Normalized {
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
  const pairs: Measurements['pairs'][number][] = [];
  for (let run = 1; run <= runs; run++) {
    say(`normalize and textbook query, ${run} of ${runs}`);
    const normalize: Measured<Normalized> = await runStage('stage-normalize.ts', job);
    pairs.push({ normalize, textbook: await runStage('stage-textbook.ts', job, 'lines') });
  }
  say('textbook query on the pages as they are');
  const textbookOnPages: Measurements['textbookOnPages'] = await runStage('stage-textbook.ts', job, 'pages');
  say('load');
  const load: Measurements['load'] = await runStage('stage-load.ts', job);
  say('load into a filled table');
  await runStage('stage-later.ts', job);
  const loadFilled: Measurements['loadFilled'] = await runStage('stage-load.ts', job, 'filled');
  say('hashing the table');
  const table: Measurements['table'] = await runStage('stage-hash.ts', job);
  return { written, fetch, partnerCpuSeconds, landing, pairs, textbookOnPages, load, loadFilled, table };
}

async function fetchFromPartner(job: Job): Promise<Pick<Measurements, 'fetch' | 'partnerCpuSeconds'>> {
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
