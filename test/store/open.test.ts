import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { StoreConfig } from '../../src/stream.ts';

async function opened(config: StoreConfig): Promise<{ readonly url: string; readonly packages: readonly string[] }> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'processes/open.ts'), JSON.stringify(config)]);
  return JSON.parse(stdout) as { url: string; packages: string[] };
}

describe('opening the configured store', () => {
  it('loads nothing for a folder', async () => {
    expect(await opened({ kind: 'file', path: '/nowhere/store' })).toEqual({ url: 'file:/nowhere/store', packages: [] });
  });

  it('loads the S3 client for a bucket, and names bucket and prefix', async () => {
    const config = {
      kind: 's3',
      bucket: 'b',
      prefix: '/p/q/',
      region: 'eu-west-1',
      endpoint: undefined,
      pathStyle: false,
      kmsKey: undefined,
      tags: true,
    } as const;
    const { url, packages } = await opened(config);
    expect(url).toBe('s3://b/p/q');
    expect(packages).toContain('@aws-sdk/client-s3');
  });
});
