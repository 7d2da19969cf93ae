import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfiguration } from '../src/config.ts';
import type { Configuration, Stream } from '../src/stream.ts';
import type { Workload } from './workload.ts';

/** One run of the bench: what every stage's process is told. */
export interface Job {
  readonly workload: Workload;
  /** Everything that the run writes is in here. */
  readonly folder: string;
  readonly partnerUrl: string;
  /** Of the normalizer; THREADS unless said otherwise. */
  readonly threads?: number;
}

export const KEY = 'bench-key';
export const THREADS = 2;
export const PAGE_SIZE = 5000;
/** The textbook query's input: the same records, one a line. */
export const eventsFile = ({ folder }: Job): string => join(folder, 'events.ndjson');
/** Ids of the batches that the normalizer published, for the load. */
export const batchesFile = ({ folder }: Job): string => join(folder, 'batches.json');
export const batchIds = async (job: Job): Promise<string[]> => JSON.parse(await readFile(batchesFile(job), 'utf8')) as string[];
/** The batches that a filled table is to be loaded with. */
export const laterBatchesFile = ({ folder }: Job): string => join(folder, 'later.json');
export const storeFolder = ({ folder }: Pick<Job, 'folder'>): string => join(folder, 'store');

/** A configuration as a user would write it, with everything at its default but for the page size and the request limit. */
const configurationText = (url: string, threads: number): string => `store: file:./store
warehouse: duckdb:./warehouse.duckdb
workers: { threads: ${threads}, scratch: ./scratch }
streams:
  payments:
    source:
      list: ${url}/events
      auth: { bearer: file:./key }
      query: { since: updated_since, size: page_size, cursor: cursor }
      response: { records: $.data, next: $.next_cursor, more: $.has_more }
      pageSize: ${PAGE_SIZE}
      requestsPerMinute: 1000000
    environment: { field: environment }
    key: [environment, event_id]
    version: [updated_at, event_version]
    latestBy: [environment, transaction_id]
`;

export async function openJob({ folder, partnerUrl, threads = THREADS }: Job): Promise<{ configuration: Configuration; stream: Stream }> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'key'), KEY);
  await writeFile(join(folder, 'tidemark.yaml'), configurationText(partnerUrl, threads));
  const configuration = loadConfiguration(join(folder, 'tidemark.yaml'));
  const [stream] = configuration.streams;
  if (!stream) throw new Error('the configuration of the bench has no stream');
  return { configuration, stream };
}
