import { randomUUID } from 'node:crypto';
import { thisProcess } from '../../../src/manifest/holder.ts';

/** Prints who it is, and ends once its input does. */
process.stdout.write(`${JSON.stringify(thisProcess(randomUUID))}\n`);
process.stdin.resume();
