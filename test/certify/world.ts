import { clockStartingAt, type Micros } from '../../src/clock.ts';
import { silentLog } from '../../src/log.ts';
import type { PartnerSettings } from '../../src/partner/options.ts';
import { type Context, openContext } from '../../src/pipeline/context.ts';
import { ALL_STAGES, type StreamReport } from '../../src/pipeline/report.ts';
import { runStreams } from '../../src/pipeline/run.ts';
import type { Stream } from '../../src/stream.ts';
import { HOUR } from '../../src/time.ts';
import { NOW, openWorld, type TestWorld } from '../system/world.ts';

/** Five hours of payments, of which some show late, and a lateness bound of six hours: hours become certain within a day. */
export const START: Micros = NOW - 5 * HOUR;
export const LATENESS: Micros = 6 * HOUR;

export interface CertifiedWorld extends TestWorld {
  readonly payments: Stream;
  /** One pass at so many hours after START. */
  pass(hours: number): Promise<StreamReport>;
  /** Everything that the stages do, at so many hours after START. */
  at<T>(hours: number, use: (context: Context) => Promise<T>): Promise<T>;
}

export async function certifiedWorld(partner: PartnerSettings = {}): Promise<CertifiedWorld> {
  const world = await openWorld({
    seed: 3,
    pageSize: 60,
    partner: {
      start: START,
      end: NOW,
      faults: 'none',
      payments: { recordsPerSecond: 0.015 },
      settlements: { recordsPerSecond: 0.001 },
      outOfOrder: { share: 0.1, bound: HOUR },
      late: { share: 0.15, bound: LATENESS },
      ...partner,
    },
  });
  const configured = world.stream('payments');
  const payments: Stream = {
    ...configured,
    poll: { ...configured.poll, lateness: LATENESS, start: 2 * HOUR },
    money: { amount: ['payload', 'amount'], currency: ['payload', 'currency'] },
  };
  const at = async <T>(hours: number, use: (context: Context) => Promise<T>): Promise<T> => {
    const now = START + hours * HOUR;
    world.partner.setNow(now);
    const context = await openContext(world.settings, { clock: clockStartingAt(now), log: silentLog });
    try {
      return await use(context);
    } finally {
      await context.close();
    }
  };
  const pass = async (hours: number): Promise<StreamReport> => {
    const options = { once: true, sweep: false, until: null, stages: ALL_STAGES };
    const [report] = await at(hours, (context) => runStreams(context, [payments], options));
    if (!report || report.failures.length > 0) throw new Error('the pass failed', { cause: report?.failures });
    return report;
  };
  return { ...world, payments, at, pass };
}
