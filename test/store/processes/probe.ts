import { randomUUID } from 'node:crypto';
import type { TidemarkError } from '../../../src/errors.ts';
import { openStore } from '../../../src/store/open.ts';
import { probeStore } from '../../../src/store/probe.ts';

/** Probes the store that its argument describes, with the environment that it was given, and prints why that failed. */
try {
  await probeStore(await openStore(JSON.parse(process.argv[2] ?? '') as Parameters<typeof openStore>[0]), randomUUID);
} catch (error) {
  const { code, message, hint, transient } = error as TidemarkError;
  process.stdout.write(JSON.stringify({ code, message, hint, transient }));
}
