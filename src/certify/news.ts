import type { Micros } from '../clock.ts';
import type { TimeRange } from '../manifest/landed.ts';
import { finalPart, type SeenWindow } from './judge.ts';
import { hourSql, type Workbench } from './observations.ts';

/**
 * Tells which windows were the first to bring an observation of an hour, in the part of which they had the last word.
 * @param name of a table that `gather` left, marked with the first of these windows.
 */
export async function whoBroughtNew(
  { engine }: Workbench,
  name: string,
  range: TimeRange,
  windows: readonly SeenWindow[],
  reach: Micros,
): Promise<(window: SeenWindow, hour: Micros) => boolean> {
  const parts = windows.map((window, at) => ({ r: at + 1, ...finalPart(window, reach) })).filter(({ from, to }) => from < to);
  if (parts.length === 0) return () => false;
  const values = parts.map(({ r, from, to }) => `(${r}, ${Math.max(from, range.from)}, ${Math.min(to, range.to)})`);
  const rows = await engine.rows(`
SELECT DISTINCT r, ${hourSql('v0')} AS hour FROM ${name} JOIN (VALUES ${values.join(', ')}) part(r, since, until) USING (r)
WHERE v0 >= since AND v0 < until`);
  const found = new Set(rows.map(({ r, hour }) => `${Number(r)} ${Number(hour)}`));
  return (window, hour) => found.has(`${windows.indexOf(window) + 1} ${hour}`);
}
