import { closeSync, openSync, writeFileSync } from 'node:fs';
import { type BodyMeasure, measureBody, measureRecords } from '../json/measure.ts';
import { contentHash } from '../page/record.ts';
import { type Shape, shapeToJson } from '../schema/shape.ts';
import { measureForeign } from './body.ts';
import { isFrozenOut } from './frozen.ts';
import { openBody } from './index-task.ts';
import type { QuarantineLine, RefusedRecord, RefuseResult, RefuseTask } from './tasks.ts';

/** Writes the refused records of a page down, with their bytes, and takes the shape of the others. */
export function refuse(task: RefuseTask): RefuseResult {
  const { body } = openBody(task.page);
  const { measured, key } = task.page;
  const measure = measured ? measureRecords(body, measured.span, []) : measureForeign(body, key, task.records, []);
  const file = openSync(task.path, 'w');
  try {
    for (const record of task.refused) writeFileSync(file, `${JSON.stringify(quarantineLine(task, body, measure, record))}\n`);
  } finally {
    closeSync(file);
  }
  return { shape: shapeToJson(shapeOfOthers(task, body, measure)) };
}

type Records = Pick<BodyMeasure, 'spans' | 'records'>;

function recordBytes(body: Buffer, { spans }: Records, position: number): Buffer {
  return body.subarray(spans[2 * position], spans[2 * position + 1]);
}

function quarantineLine(task: RefuseTask, body: Buffer, measure: Records, { position, key, said }: RefusedRecord): QuarantineLine {
  const bytes = recordBytes(body, measure, position);
  const rule = 'verdict' in said ? task.rules[Number(said.verdict)] : undefined;
  return {
    ...('verdict' in said ? reasonOf(said.verdict, bytes, rule) : said),
    id: contentHash(bytes),
    stream: task.stream,
    key,
    page: task.page.key,
    position,
    span: { start: measure.spans[2 * position] ?? 0, end: measure.spans[2 * position + 1] ?? 0 },
    body: bytes.toString('base64'),
    releasable: rule !== undefined || isFrozenOut({ said }),
    at: task.now,
  };
}

function reasonOf(
  verdict: string,
  record: Buffer,
  rule: RefuseTask['rules'][number] | undefined,
): Pick<QuarantineLine, 'rule' | 'reason' | 'value'> {
  if (rule) return { rule: rule.name, reason: `the rule "${rule.name}" does not hold`, value: fieldText(record, rule.field) };
  const reason = verdict === 'key' ? 'a key field is absent, null or empty' : 'a version field is absent, or not of the configured form';
  return { rule: verdict, reason, value: null };
}

/** The field's value as it was written, cut short. */
function fieldText(record: Buffer, field: string): string | null {
  const { captured } = measureBody(record, { records: 'lines', envelope: [], capture: [field] });
  const [start = 0, end = 0] = captured;
  return end === 0 ? null : record.toString('utf8', start, Math.min(end, start + 200));
}

function shapeOfOthers(task: RefuseTask, body: Buffer, measure: Records): Shape {
  const refused = new Set(task.refused.map((record) => record.position));
  const parts: Buffer[] = [];
  for (let position = 0; position < measure.records; position++) {
    if (!refused.has(position)) parts.push(recordBytes(body, measure, position), LINE_FEED);
  }
  return measureBody(Buffer.concat(parts), { records: 'lines', envelope: [], capture: [] }).shape;
}

const LINE_FEED = Buffer.from('\n');
