import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { clockStartingAt } from '../../../src/clock.ts';
import { prove } from '../../../src/demo/proof.ts';
import { silentLog } from '../../../src/log.ts';
import { openContext } from '../../../src/pipeline/context.ts';
import { ALL_STAGES } from '../../../src/pipeline/report.ts';
import { runStreams } from '../../../src/pipeline/run.ts';
import type { Configuration } from '../../../src/stream.ts';
import { HOUR } from '../../../src/time.ts';
import { imageOf } from '../../system/table.ts';
import { NOW, openWorld } from '../../system/world.ts';
import { snowflakeBench } from './bench.ts';

const bench = snowflakeBench();
const SMALL = { payments: { recordsPerSecond: 0.006 }, settlements: { recordsPerSecond: 0.002 } };

test('R9, R11, R12: what a hostile partner lists is in Snowflake as it is in DuckDB, and no file of a batch was brought here', async () => {
  const world = await openWorld({ seed: 57, pageSize: 150, partner: SMALL });
  try {
    const settings: Configuration = {
      ...world.settings,
      store: { kind: 'file', path: join(bench.folder, 'store') },
      warehouse: { ...bench.config },
    };
    for (const configuration of [world.settings, settings]) {
      for (const now of [NOW - 2 * HOUR, NOW]) {
        world.partner.setNow(now);
        const context = await openContext(configuration, { clock: clockStartingAt(now), log: silentLog });
        const downloaded: string[] = [];
        const store = {
          ...context.store,
          download: (key: string, path: string) => (downloaded.push(key), context.store.download(key, path)),
        };
        const reports = await runStreams({ ...context, store }, configuration.streams, {
          once: true,
          sweep: now === NOW,
          until: null,
          stages: ALL_STAGES,
        });
        expect(reports.flatMap(({ failures }) => failures)).toEqual([]);
        const parts = downloaded.filter((key) => key.includes('/part-'));
        if (configuration === settings) expect(parts).toEqual([]);
        else expect(parts).not.toEqual([]);
        await context.close();
      }
    }
    const warehouse = bench.open();
    for (const stream of settings.streams)
      expect(await prove(warehouse, stream, world.partner)).toMatchObject({ missing: 0, duplicated: 0, stale: 0, altered: 0, foreign: 0 });
    expect(await imageOf(warehouse, settings.streams)).toEqual(await world.withWarehouse((duck) => imageOf(duck, settings.streams)));
  } finally {
    await world.close();
    await rm(join(bench.folder, 'store'), { recursive: true, force: true });
  }
});
