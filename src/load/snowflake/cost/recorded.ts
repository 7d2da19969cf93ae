import type { Workload } from './model.ts';
import type { Shape } from './shape.ts';

/** Shapes to reckon with. `test/load/snowflake-cost/record.ts` records those of the simulated partner. */

/** Measured on the demo's Parquet, zstd level 1: 37,697 rows of 13 columns; of them the key, the version and the content hash. */
const BYTES = { recordBytes: 750, rowBytes: 101, keyBytes: 28 };

const LIVE_5: Shape = {
  ...BYTES,
  name: 'payments, 5 minutes',
  source: 'recorded from the simulated partner at 150 records a second',
  minutes: 5,
  records: 44809,
  keys: 28771,
  inserted: 28648,
  unchanged: 390,
  sliceMinutes: 10,
  updates: rowsBySlice(
    '0:1109 1:2115 2:29 3:32 4:31 5:42 6:33 7:28 8:29 9:40 10:246 11:858 12:7 13:6 14:1 15:4 16:1 17:3 18:6 19:1 20:7 ' +
      '21:4 22:8 23:1 144:5 146:2 147:1 148:1 149:1 150:3 151:2 152:2 153:1 155:814 156:1 157:2 158:3 159:2 160:5 161:2 ' +
      '162:2 163:1 164:3 165:2 166:2 167:2 251:1 257:1 270:1 276:1 279:1 281:253 282:3 285:1 286:1 287:1 288:2 292:1 293:1',
  ),
};

const LIVE_10: Shape = {
  ...BYTES,
  name: 'payments, 10 minutes',
  source: 'recorded from the simulated partner at 150 records a second',
  minutes: 10,
  records: 89873,
  keys: 57685,
  inserted: 57458,
  unchanged: 770,
  sliceMinutes: 10,
  updates: rowsBySlice(
    '0:1145 1:4355 2:58 3:56 4:61 5:68 6:76 7:50 8:59 9:71 10:1372 11:875 12:23 13:12 14:7 15:6 16:4 17:6 18:12 19:5 ' +
      '20:12 21:4 22:9 23:1 143:1 144:6 145:1 146:3 147:3 148:4 149:2 150:4 151:2 152:2 153:3 154:5 155:1677 156:4 157:2 ' +
      '158:5 159:4 160:8 161:2 162:3 163:3 164:12 165:7 166:3 167:3 251:1 257:1 269:1 270:1 271:1 274:1 276:1 278:1 279:2 ' +
      '280:6 281:530 282:4 284:3 285:1 286:1 287:2 288:2 289:1 290:2 292:2 293:1',
  ),
};

const LIVE_15: Shape = {
  ...BYTES,
  name: 'payments, 15 minutes',
  source: 'recorded from the simulated partner at 150 records a second',
  minutes: 15,
  records: 134978,
  keys: 86418,
  inserted: 86145,
  unchanged: 1107,
  sliceMinutes: 10,
  updates: rowsBySlice(
    '0:3352 1:4394 2:85 3:82 4:87 5:97 6:113 7:75 8:77 9:320 10:2298 11:886 12:30 13:13 14:10 15:6 16:8 17:10 18:15 19:11 ' +
      '20:16 21:9 22:9 23:1 67:1 125:1 142:1 143:3 144:7 145:2 146:4 147:4 148:4 149:3 150:6 151:3 152:6 153:3 154:849 ' +
      '155:1681 156:7 157:5 158:9 159:7 160:11 161:3 162:4 163:3 164:16 165:9 166:4 167:3 251:1 257:1 269:1 270:2 271:2 ' +
      '274:1 276:1 278:2 279:2 280:264 281:530 282:5 283:4 284:3 285:3 286:1 287:2 288:3 289:3 290:3 292:3 293:1',
  ),
};

const SWEEP: Shape = {
  ...BYTES,
  name: 'payments, daily sweep',
  source: 'recorded from the simulated partner at 30 records a second',
  minutes: 1440,
  records: 2592565,
  keys: 1660780,
  inserted: 4631,
  unchanged: 4539,
  sliceMinutes: 60,
  updates: rowsBySlice(
    '2:1 3:1 4:3 5:7 6:9 7:12 8:18 9:20 10:19 11:40 12:38 13:37 14:43 15:39 16:44 17:54 18:58 19:53 20:64 21:66 22:42 ' +
      '23:79 24:89 25:61 26:75 27:85 28:81 29:78 30:93 31:82 32:62 33:72 34:62 35:76 36:78 37:80 38:85 39:82 40:79 41:79 ' +
      '42:86 43:83 44:73 45:89 46:64 47:62 48:80 49:73 50:63 51:76 52:64 53:71 54:64 55:51 56:49 57:63 58:54 59:52 60:46 ' +
      '61:36 62:28 63:33 64:28 65:23 66:36 67:18 68:21 69:9 70:10 71:10 72:19 73:11 74:12 75:3 76:7 77:4 78:7 79:8 80:5 ' +
      '81:5 82:2 83:4 84:9 85:3 86:4 87:5 88:4 89:5 90:5 91:5 92:1 93:3 94:1 95:5 96:2 97:2 98:2 99:2 101:1 102:2 103:2 ' +
      '105:3 108:1 109:1 111:1',
  ),
};

/** `0:1109 1:2115`: of each slice, how many rows. */
function rowsBySlice(text: string): Shape['updates'] {
  return text.split(' ').map((pair) => {
    const [slice = 0, rows = 0] = pair.split(':').map(Number);
    return [slice, rows] as const;
  });
}

/** The simulated partner: a third of its records are later versions, most of them minutes after the first, and some are listed late. */
export const partnerWorkload = (minutes: number): Workload => ({
  live: [LIVE_5, LIVE_10].find((shape) => minutes <= shape.minutes * 1.25) ?? LIVE_15,
  sweep: SWEEP,
});

const SPREAD_SHARE = 0.03;
const [SPREAD_LEAST, SPREAD_MOST] = [1, 48 * 60];

/**
 * Not recorded, but reckoned: few later versions, as in the bench, at ages that are as often between ten minutes and an hour as between eight hours
 * and six. The worst for a MERGE: nearly every micro-partition of two days is touched by every batch.
 */
export function spreadWorkload(): Workload {
  const records = 1_000_000;
  const sliceMinutes = 10;
  const updates = Array.from({ length: SPREAD_MOST / sliceMinutes }, (_, slice) => {
    const [from, to] = [Math.max(SPREAD_LEAST, slice * sliceMinutes), (slice + 1) * sliceMinutes];
    return [slice, (Math.log(to / from) / Math.log(SPREAD_MOST / SPREAD_LEAST)) * records * SPREAD_SHARE] as const;
  });
  const keys = records * (1 - SPREAD_SHARE);
  const source = 'assumed: 3% later versions, their ages log-uniform between a minute and 48 hours';
  const live = {
    name: 'payments, updates spread over two days',
    source,
    minutes: 5,
    records,
    keys,
    inserted: keys,
    unchanged: 0,
    sliceMinutes,
    updates,
  };
  return { live: { ...live, ...BYTES }, sweep: null };
}
