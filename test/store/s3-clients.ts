import { randomUUID } from 'node:crypto';
import type { Clock } from '../../src/clock.ts';
import { seededRandom } from '../../src/store/faulty.ts';
import { s3Client, s3Store } from '../../src/store/s3.ts';
import { impatientClock } from './clocks.ts';
import type { OpenedStore } from './contract.ts';

export interface S3Account {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface ClientSetting {
  readonly bucket: string;
  readonly prefix?: string;
  readonly kmsKey?: string;
  readonly tags?: boolean;
  readonly listPage?: number;
  readonly seed?: number;
  readonly clock?: Clock;
}

/** The S3 store over a client of its own. */
export function openS3(account: S3Account, setting: ClientSetting): OpenedStore {
  const { endpoint, region, accessKeyId, secretAccessKey } = account;
  const client = s3Client({ region, endpoint, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
  const store = s3Store({
    bucket: setting.bucket,
    prefix: setting.prefix ?? '',
    kmsKey: setting.kmsKey,
    tags: setting.tags ?? true,
    client,
    clock: setting.clock ?? impatientClock,
    random: seededRandom(setting.seed ?? 1),
    randomId: randomUUID,
    ...(setting.listPage === undefined ? {} : { listPage: setting.listPage }),
  });
  return { store, close: async () => client.destroy() };
}
