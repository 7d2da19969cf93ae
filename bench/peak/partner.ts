import { startPartner } from '../../src/partner/server.ts';
import { jobOfThisProcess } from './world.ts';

/** The partner of the peak, hostile and in real time, until it is told to end; it then says what was asked of it and what that cost. */
const { settings } = jobOfThisProcess();
const partner = await startPartner(settings);
const before = process.cpuUsage();
process.send?.({ url: partner.url });
process.once('message', () => {
  const { user, system } = process.cpuUsage(before);
  process.send?.({ cpuSeconds: (user + system) / 1e6, stats: partner.stats() });
  void partner.close().then(() => process.disconnect());
});
