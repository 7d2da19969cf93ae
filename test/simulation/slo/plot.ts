import * as svg from '../../../bench/svg.ts';
import type { Micros } from '../../../src/clock.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../../../src/time.ts';
import type { DayOutcome } from './day.ts';
import { BUCKET, type Bucket, DEADLINE, type Figures, REQUESTS_A_MINUTE } from './figures.ts';
import { factorAt } from './shape.ts';
import { clock, percent } from './text.ts';

/** The day as a picture: freshness, what the partner had, and what was asked, one below the other. */

const WIDTH = 900;
const HEIGHT = 620;
const LEFT = 74;
const RIGHT = 34;

interface Panel {
  readonly top: number;
  readonly height: number;
  readonly title: string;
}
const FRESHNESS: Panel = { top: 84, height: 270, title: 'minutes and hours from showing to the table, log axis, by when it showed' };
const EVENTS: Panel = { top: 400, height: 60, title: 'events a second that the partner has' };
const REQUESTS: Panel = { top: 506, height: 76, title: 'requests a minute' };

const COLORS = {
  p50: '#1d6fb8',
  p99: '#d97706',
  max: '#9aa5b1',
  deadline: '#b91c1c',
  brownout: '#f3d9d9',
  grid: '#e4e7eb',
  area: '#8fb8de',
};
const LABEL = { 'font-size': 11, fill: '#52606d' };

export function plot(outcome: DayOutcome, figures: Figures, title: string): string {
  const { times, assumed } = outcome;
  const x = (at: Micros): number => LEFT + ((at - times.day) / (times.dayEnd - times.day)) * (WIDTH - LEFT - RIGHT);
  const panels = [FRESHNESS, EVENTS, REQUESTS];
  return svg.document(WIDTH, HEIGHT, title, [
    svg.text(LEFT, 26, title, { 'font-size': 15, 'font-weight': 'bold' }),
    svg.text(LEFT, 46, `${percent(figures.all.within)} within 15 minutes; ${percent(figures.possible.within)} of what could be`, LABEL),
    legend(),
    ...assumed.brownouts
      .map(({ from, to }) => ({ from: times.midnight + from, to: times.midnight + to }))
      .filter(({ from, to }) => from >= times.day && to <= times.dayEnd)
      .flatMap(({ from, to }) => panels.map((panel) => shade(panel, x(from), x(to)))),
    ...panels.flatMap((panel) => frame(panel, times.day, times.dayEnd, x)),
    ...freshness(figures.buckets, x),
    ...events(outcome, x),
    ...requests(figures, times.day, x),
    svg.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, 'time of the day; shaded: the partner answers 503', {
      ...LABEL,
      'text-anchor': 'middle',
    }),
  ]);
}

function legend(): string {
  const names = [
    ['median', COLORS.p50],
    ['99th percentile', COLORS.p99],
    ['latest', COLORS.max],
    ['15 minutes', COLORS.deadline],
  ] as const;
  const widths = [80, 132, 72, 0];
  let x = WIDTH - RIGHT - 404;
  return names
    .map(([name, color], index) => {
      const at = x;
      x += (widths[index] ?? 0) + 6;
      return `${svg.line(at, 42, at + 18, 42, { stroke: color, 'stroke-width': 2.5 })}${svg.text(at + 23, 46, name, LABEL)}`;
    })
    .join('');
}

const shade = ({ top, height }: Panel, from: number, to: number): string =>
  svg.element('rect', { x: from, y: top, width: Math.max(1, to - from), height, fill: COLORS.brownout });

function frame({ top, height, title }: Panel, from: Micros, to: Micros, x: (at: Micros) => number): string[] {
  const step = to - from > 6 * HOUR ? 2 * HOUR : to - from > HOUR ? HOUR / 2 : 10 * MINUTE;
  const ticks = Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step);
  return [
    svg.text(LEFT, top - 8, title, LABEL),
    ...ticks.map((at) => svg.line(x(at), top, x(at), top + height, { stroke: COLORS.grid })),
    ...ticks.map((at) =>
      svg.text(x(at), top + height + 15, at === from + DAY ? '24:00' : clock(at), { ...LABEL, 'text-anchor': 'middle' }),
    ),
    svg.element('rect', { x: LEFT, y: top, width: WIDTH - LEFT - RIGHT, height, fill: 'none', stroke: '#cbd2d9' }),
  ];
}

const AGES: readonly (readonly [Micros, string])[] = [
  [30 * SECOND, '30 s'],
  [MINUTE, '1 min'],
  [2 * MINUTE, '2 min'],
  [5 * MINUTE, '5 min'],
  [15 * MINUTE, '15 min'],
  [HOUR, '1 h'],
  [4 * HOUR, '4 h'],
  [12 * HOUR, '12 h'],
  [DAY, '24 h'],
  [3 * DAY, 'later'],
];
const [LEAST, MOST] = [20 * SECOND, 3 * DAY];

function freshness(buckets: readonly Bucket[], x: (at: Micros) => number): string[] {
  const { top, height } = FRESHNESS;
  const y = (age: Micros): number => top + height * (1 - Math.log(Math.min(MOST, Math.max(LEAST, age)) / LEAST) / Math.log(MOST / LEAST));
  const curve = (of: 'p50' | 'p99' | 'max', width: number): string =>
    svg.path(
      buckets.map((bucket) => (bucket.count > 0 ? [x(bucket.from + BUCKET / 2), y(bucket[of])] : null)),
      { stroke: COLORS[of], 'stroke-width': width, 'stroke-linejoin': 'round' },
    );
  return [
    ...AGES.map(([age, name]) => axisLabel(y(age), name)),
    ...AGES.map(([age]) => svg.line(LEFT, y(age), WIDTH - RIGHT, y(age), { stroke: COLORS.grid })),
    curve('max', 1),
    curve('p99', 1.8),
    curve('p50', 1.8),
    svg.line(LEFT, y(DEADLINE), WIDTH - RIGHT, y(DEADLINE), { stroke: COLORS.deadline, 'stroke-width': 1.5, 'stroke-dasharray': '6 4' }),
  ];
}

const axisLabel = (y: number, name: string): string => svg.text(LEFT - 8, y + 4, name, { ...LABEL, 'text-anchor': 'end' });

const MOST_EVENTS = 10_000;

function events({ times, assumed }: DayOutcome, x: (at: Micros) => number): string[] {
  const { top, height } = EVENTS;
  const mean = (assumed.recordsADay / DAY) * SECOND;
  const y = (rate: number): number => top + height * (1 - rate / MOST_EVENTS);
  const step = 15 * MINUTE;
  const points = Array.from({ length: Math.ceil((times.dayEnd - times.day) / step) }, (_, i) => {
    const at = times.day + i * step;
    const rate = y(mean * factorAt(at - times.midnight));
    return [
      [x(at), rate],
      [x(Math.min(times.dayEnd, at + step)), rate],
    ] as const;
  }).flat();
  return [
    axisLabel(y(0), '0'),
    axisLabel(y(MOST_EVENTS / 2), '5,000'),
    axisLabel(y(MOST_EVENTS), '10,000'),
    svg.path(points, { stroke: '#3e4c59', 'stroke-width': 1.5 }),
  ];
}

const MOST_REQUESTS = 1200;

function requests({ requests: { minutes } }: Figures, day: Micros, x: (at: Micros) => number): string[] {
  const { top, height } = REQUESTS;
  const y = (count: number): number => top + height * (1 - Math.min(count, MOST_REQUESTS) / MOST_REQUESTS);
  const points = minutes.map((count, minute) => [x(day + (minute + 0.5) * MINUTE), y(count)] as const);
  return [
    axisLabel(y(0), '0'),
    axisLabel(y(500), '500'),
    axisLabel(y(REQUESTS_A_MINUTE), '1,000'),
    svg.line(LEFT, y(REQUESTS_A_MINUTE), WIDTH - RIGHT, y(REQUESTS_A_MINUTE), { stroke: COLORS.deadline, 'stroke-dasharray': '6 4' }),
    svg.path(points, { stroke: COLORS.p50, 'stroke-width': 1 }),
  ];
}
