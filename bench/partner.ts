import { startPartner } from '../src/partner/server.ts';
import { createWorld } from '../src/partner/world.ts';
import { jobOfThisProcess } from './child.ts';
import { KEY } from './setup.ts';
import { WORKLOAD_START, workloadEnd, workloadSource } from './workload.ts';

/** The simulated partner with the workload as its events, without faults; it says where it listens, and at the end what it cost. */
const { workload } = jobOfThisProcess();
const end = workloadEnd(workload);
const partner = await startPartner(
  { faults: 'none', keys: [KEY], requestsPerMinute: 1_000_000, gzipShare: 0, start: WORKLOAD_START, end, now: end },
  (options) => ({ ...createWorld(options), payments: workloadSource(workload) }),
);
process.send?.({ url: partner.url });
process.once('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuSeconds: (user + system) / 1e6 });
  void partner.close().then(() => process.disconnect());
});
