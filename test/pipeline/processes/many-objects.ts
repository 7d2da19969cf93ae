import { writeSync } from 'node:fs';
import { startS3Server } from '../../support/s3-server.ts';

/** `many-objects.ts <count>`: a bucket of so many bodies that nobody measured; prints where it is served. */
const names = Array.from(
  { length: Number(process.argv[2]) },
  (_, i) => `old/dt=2026-01-${String(1 + (i % 28)).padStart(2, '0')}/part-${String(i).padStart(8, '0')}.json`,
);
const { endpoint } = await startS3Server({ bucket: 'landing', keys: names });
writeSync(1, `${endpoint}\n`);
