import { hash } from 'node:crypto';
import { LayoutError } from '../json/errors.ts';
import { type BodyLayout, type BodyMeasure, measureBody } from '../json/measure.ts';
import type { MeasuredPage } from '../landing/land.ts';
import type { Delivery } from '../manifest/documents.ts';
import { fieldNames, streamFields } from '../page/fields.ts';
import { timeReader } from '../page/times.ts';
import type { Stream } from '../stream.ts';

/** One push, verified and measured, on its way into a page. */
export interface Push {
  readonly page: MeasuredPage;
  readonly delivery: Delivery;
}

/** @throws JsonError where the body is not JSON; LayoutError where it is not what the stream's pushes are. */
export function measurePush(stream: Stream, body: Buffer): MeasuredPage {
  const form = stream.listen?.body ?? 'record';
  const page = measured(stream, body, typeof form === 'string' ? 'lines' : form);
  if (form === 'record' && (page.measure.records !== 1 || page.measure.notObjects.length > 0))
    throw new LayoutError(
      `it is not one record, but ${page.measure.records === 1 ? 'a value that is no object' : `${page.measure.records} values`}`,
    );
  return page;
}

/** Pushes that go into one page. One alone is the page, byte for byte; of several the records' own bytes stand a line each. */
export function joinPushes(stream: Stream, pushes: readonly Push[]): MeasuredPage {
  const [only] = pushes;
  if (only && pushes.length === 1) return only.page;
  const parts = pushes.flatMap(({ page }) => recordsOf(page).flatMap((record) => [record, LINE_FEED]));
  return measured(stream, Buffer.concat(parts), 'lines');
}

const LINE_FEED = Buffer.from('\n');

const recordsOf = ({ body, measure }: MeasuredPage): Buffer[] =>
  Array.from({ length: measure.records }, (_, i) => body.subarray(measure.spans[2 * i], measure.spans[2 * i + 1]));

function measured(stream: Stream, body: Buffer, records: BodyLayout['records']): MeasuredPage {
  const capture = fieldNames(streamFields(stream));
  const measure = measureBody(body, { records, envelope: [], capture });
  return { body, sha256: hash('sha256', body), measure, ...timesOf(stream, body, measure, capture) };
}

/** Least and greatest version time; texts that are no times are passed over: normalize quarantines their records. */
function timesOf(
  stream: Stream,
  body: Buffer,
  { captured, records }: BodyMeasure,
  capture: readonly string[],
): Pick<MeasuredPage, 'minTime' | 'maxTime'> {
  const [{ name, form }] = stream.version;
  const timeAt = timeReader({ body, captured, width: capture.length }, capture.indexOf(name), form);
  const times = Array.from({ length: records }, (_, i) => timeAt(i)).filter((time) => time !== null);
  if (times.length === 0) return { minTime: null, maxTime: null };
  return { minTime: times.reduce((a, b) => Math.min(a, b)), maxTime: times.reduce((a, b) => Math.max(a, b)) };
}
