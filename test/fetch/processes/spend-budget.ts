import { randomUUID } from 'node:crypto';
import { systemClock } from '../../../src/clock.ts';
import { createRequestBudget, wallOf } from '../../../src/fetch/budget.ts';
import { createHttpClient } from '../../../src/fetch/client.ts';
import { sharedDesk } from '../../../src/fetch/shared-budget.ts';
import { silentLog } from '../../../src/log.ts';
import type { Priority } from '../../../src/manifest/budget.ts';
import { thisProcess } from '../../../src/manifest/holder.ts';
import { fileStore } from '../../../src/store/file.ts';

/** Asks as often as the shared budget lets it, four requests at once, until it is ended. Says each answer. */
const [folder = '', url = '', key = '', perMinute = '', priority = 'live'] = process.argv.slice(2);
const clock = systemClock;
const options = { store: fileStore(folder, randomUUID), clock, random: Math.random, log: silentLog, wall: wallOf(clock) };
const desk = sharedDesk({
  ...options,
  name: `${url} env:KEY`,
  perMinute: Number(perMinute),
  holder: thisProcess(randomUUID),
});
const budget = createRequestBudget(clock, Number(perMinute), { desk }).lane(priority as Priority);
const http = createHttpClient(clock);
const request = { url: `${url}/events?updated_since=2026-11-20T12:00:00Z&page_size=1`, headers: { authorization: `Bearer ${key}` } };

async function chain(): Promise<never> {
  for (;;) {
    await budget.take();
    const { status } = await http.exchange(request, { timeoutMs: 30_000 });
    process.stdout.write(`${status}\n`);
  }
}
await Promise.all([chain(), chain(), chain(), chain()]);
