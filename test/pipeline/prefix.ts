import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pagesOfPrefix, slices } from '../../src/pipeline/replay.ts';
import { openS3 } from '../store/s3-clients.ts';

/** `prefix.ts <objects>`: walks over a prefix of so many objects as `replay --prefix` does, and tells the memory that it took. */
const count = Number(process.argv[2] ?? 100_000);
const MB = 1024 ** 2;
const server = spawn(process.execPath, [join(import.meta.dirname, 'processes/many-objects.ts'), String(count)], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  const [line] = (await once(server.stdout, 'data')) as [Buffer];
  const account = { endpoint: line.toString().trim(), region: 'eu-west-1', accessKeyId: 'key', secretAccessKey: 'secret' };
  const { store, close } = openS3(account, { bucket: 'landing' });
  let [pages, heldMost, rssFirst, rssMost] = [0, 0, 0, 0];
  for await (const slice of slices(pagesOfPrefix(store, 'old/', false), 1_000_000, null)) {
    pages += slice.length;
    heldMost = Math.max(heldMost, slice.length);
    const rss = process.memoryUsage.rss();
    rssFirst ||= rss;
    rssMost = Math.max(rssMost, rss);
  }
  await close();
  const rss = `${(rssFirst / MB).toFixed(0)} MB after the first slice, ${(rssMost / MB).toFixed(0)} MB at most`;
  process.stdout.write(`${pages} objects, at most ${heldMost} held at once; resident: ${rss}\n`);
  process.exitCode = pages === count ? 0 : 1;
} finally {
  server.kill('SIGKILL');
}
