import { openScratch } from '../../../src/pipeline/scratch.ts';

process.stdout.write(`${await openScratch(process.argv[2] ?? '')}\n`);
setInterval(() => undefined, 1000);
