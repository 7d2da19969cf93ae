import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { openStore } from '../../../src/store/open.ts';
import type { StoreConfig } from '../../../src/stream.ts';
import { hurriedClock } from '../clocks.ts';
import { type WriterJob, writeAndTell } from '../writer.ts';

/** `write-and-tell.ts <store as JSON> <job as JSON>`: one of several writers, which may be killed. Prints a line for what it begins and for what it was told. */
const [config = '', job = ''] = process.argv.slice(2);
const store = await openStore(JSON.parse(config) as StoreConfig, { clock: hurriedClock, random: Math.random, randomId: randomUUID });
await writeAndTell(store, JSON.parse(job) as WriterJob, (told) => writeSync(1, `${JSON.stringify(told)}\n`));
