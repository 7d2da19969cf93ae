import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { median, type Ratio } from './ratios.ts';
import * as svg from './svg.ts';

/** The ratios that were measured last, of all benches, and their drawing. */

const FILE = new URL('./ratios.json', import.meta.url);
const DRAWING = new URL('./ratios.svg', import.meta.url);

interface Recorded extends Pick<Ratio, 'of' | 'against' | 'bar' | 'aim'> {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Those of the same names are replaced. */
export function recordRatios(ratios: readonly Ratio[]): void {
  const now = ratios.map(({ of, against, paces, bar, aim }) => ({
    of,
    against,
    median: rounded(median(paces)),
    least: rounded(Math.min(...paces)),
    most: rounded(Math.max(...paces)),
    bar,
    aim,
  }));
  const before = existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Recorded[]) : [];
  const others = before.filter((old) => !now.some(({ of, against }) => of === old.of && against === old.against));
  const all = [...others, ...now].sort((a, b) => b.of.localeCompare(a.of) || a.bar - b.bar);
  writeFileSync(FILE, `${JSON.stringify(all, null, 2)}\n`);
  writeFileSync(DRAWING, drawn(all));
}

const WIDTH = 860;
const LEFT = 330;
const RIGHT = 90;
const TOP = 78;
const ROW = 26;
const COLORS = { reached: '#1d6fb8', missed: '#d97706', mark: '#1f2933', grid: '#e4e7eb' };
const LABEL = { 'font-size': 11, fill: '#52606d' };

/** On a log axis: twice as fast and half as fast are as far from 1. */
function drawn(all: readonly Recorded[]): string {
  const [least, most] = [Math.min(0.25, ...all.map((one) => one.least)), Math.max(16, ...all.map((one) => one.most))];
  const x = (ratio: number): number => LEFT + (Math.log(ratio / least) / Math.log(most / least)) * (WIDTH - LEFT - RIGHT);
  const height = TOP + all.length * ROW + 34;
  const ticks = [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64].filter((tick) => tick >= least && tick <= most);
  return svg.document(WIDTH, height, 'The pace of the normalizer against others', [
    svg.text(20, 26, 'The pace of the normalizer against others', { 'font-size': 15, 'font-weight': 'bold' }),
    svg.text(
      20,
      46,
      'median and spread of the rounds, log axis; the upright line is the bar, the dotted one the aim; orange where the bar is missed',
      LABEL,
    ),
    ...ticks.flatMap((tick) => [
      svg.line(x(tick), TOP - 10, x(tick), height - 28, { stroke: COLORS.grid }),
      svg.text(x(tick), height - 12, `${tick} ×`, { ...LABEL, 'text-anchor': 'middle' }),
    ]),
    ...all.flatMap((one, index) => row(one, TOP + index * ROW, x)),
  ]);
}

function row({ of, against, median: middle, least, most, bar, aim }: Recorded, top: number, x: (ratio: number) => number): string[] {
  const color = middle >= bar ? COLORS.reached : COLORS.missed;
  const center = top + ROW / 2 - 3;
  return [
    svg.text(LEFT - 12, center + 4, `${of}, of ${against}`, { 'text-anchor': 'end' }),
    svg.line(x(least), center, x(most), center, { stroke: color, 'stroke-width': 3 }),
    svg.element('circle', { cx: x(middle), cy: center, r: 5.5, fill: color }),
    svg.line(x(bar), top - 2, x(bar), top + ROW - 6, { stroke: COLORS.mark, 'stroke-width': 2 }),
    svg.line(x(aim), top - 2, x(aim), top + ROW - 6, { stroke: COLORS.mark, 'stroke-width': 1, 'stroke-dasharray': '2 3' }),
    svg.text(WIDTH - RIGHT + 14, center + 4, `${middle.toFixed(2)} ×`, LABEL),
  ];
}

const rounded = (ratio: number): number => Math.round(ratio * 100) / 100;
