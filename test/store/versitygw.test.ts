import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { seededRandom } from '../../src/store/faulty.ts';
import { s3Client, s3Store } from '../../src/store/s3.ts';
import { describeOnVersitygw, startVersitygw, type Versitygw } from '../support/versitygw.ts';
import { impatientClock } from './clocks.ts';
import { contract, type OpenedStore } from './contract.ts';

describeOnVersitygw('on versitygw', () => {
  let server: Versitygw;
  let buckets = 0;
  beforeAll(async () => {
    server = await startVersitygw();
  });
  afterAll(() => server.close());

  async function open(): Promise<OpenedStore> {
    const bucket = `landing-${(buckets += 1)}`;
    await server.createBucket(bucket);
    const { region, endpoint } = server;
    const client = s3Client({ region, endpoint, forcePathStyle: true, credentials: server });
    const store = s3Store({
      bucket,
      prefix: '',
      kmsKey: undefined,
      client,
      clock: impatientClock,
      random: seededRandom(1),
      randomId: randomUUID,
      listPage: 5,
    });
    return { store, close: async () => client.destroy() };
  }
  contract('the S3 store', open);
});
