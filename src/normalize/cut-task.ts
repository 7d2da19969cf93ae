import { closeSync, openSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Engine } from '../engine.ts';
import { cutRecords } from '../json/cut.ts';
import { type ByteSpan, measureBody } from '../json/measure.ts';
import { type Shape, type ShapeJson, shapeFromJson, shapeToJson } from '../schema/shape.ts';
import { measureForeign, readBody, verifyBody } from './body.ts';
import { contentHash, hasLineBreaks, LineBuffer, needsCare, onOneLine, type Refusal, readCarefully } from './lines.ts';
import { type CutPage, type CutResult, type CutTask, LONGEST_LINE, type PageTask, type RefusedRecord } from './tasks.ts';

/** A page in memory: its bytes, where its records are, and those of them that were refused so far. */
interface OpenPage {
  readonly task: PageTask;
  readonly body: Buffer;
  readonly sha256: string;
  readonly spans: Uint32Array;
  readonly records: number;
  readonly shape: ShapeJson;
  /** Whether there are line breaks between its tokens. */
  readonly hasBreaks: boolean;
  readonly refused: Set<number>;
}

/**
 * First pass over some pages: verifies their bytes, cuts their records into lines for DuckDB, hashes each, and has DuckDB take out key,
 * version and verdict. Refused records are written out with their bytes.
 */
export async function cut(task: CutTask, engine: Engine): Promise<CutResult> {
  const pages: OpenPage[] = [];
  const { refused, longest } = writeLineFile(task, openPages(task, pages));
  const result = await narrow(task, engine, pages, [...refused], longest);
  // The second pass reads every line in the schema's types, which need not hold what a refused record says.
  if (result.refused > refused.length) writeLineFile(task, pages);
  return result;
}

/** One after the other, as its lines are written: its bytes are in the processor's caches then. */
function* openPages(task: CutTask, opened: OpenPage[]): Iterable<OpenPage> {
  for (const one of task.pages) {
    const page = openPage(one, task.records);
    opened.push(page);
    yield page;
  }
}

/** Writes the lines of all records that were not refused. @returns those that are refused now. */
function writeLineFile(task: CutTask, pages: Iterable<OpenPage>): { refused: RefusedRecord[]; longest: number } {
  const refused: RefusedRecord[] = [];
  const lines = new LineBuffer();
  // Synchronous: the thread has nothing else to do, and the promises of a file handle write in small pieces.
  const file = openSync(task.linesPath, 'w');
  try {
    for (const page of pages) {
      lines.clear();
      refused.push(...writeLines(page, lines, task));
      writeFileSync(file, lines.bytes());
    }
  } finally {
    closeSync(file);
  }
  return { refused, longest: lines.longest };
}

function openPage(task: PageTask, records: readonly string[]): OpenPage {
  const { measured } = task;
  const body = readBody(task.path, task.key, measured?.span.end);
  const sha256 = verifyBody(body, task.key, measured?.sha256 ?? null);
  const page = { task, body, sha256, hasBreaks: hasLineBreaks(body), refused: new Set<number>() };
  if (measured) return { ...page, ...cutRecords(body, measured.span), shape: measured.shape };
  const { spans, records: count, shape } = measureForeign(body, task.key, records);
  return { ...page, spans, records: count, shape: shapeToJson(shape) };
}

const recordBytes = (page: OpenPage, position: number): Buffer =>
  page.body.subarray(page.spans[2 * position], page.spans[2 * position + 1]);

function writeLines(page: OpenPage, lines: LineBuffer, task: CutTask): RefusedRecord[] {
  const careful = needsCare(shapeFromJson(page.shape), task.fields);
  const refused: RefusedRecord[] = [];
  for (let position = 0; position < page.records; position++) {
    if (page.refused.has(position)) continue;
    const bytes = recordBytes(page, position);
    const read =
      careful || bytes[0] !== 0x7b
        ? readCarefully(bytes.toString(), task.fields)
        : { record: page.hasBreaks ? onOneLine(bytes) : bytes, exact: null };
    if ('rule' in read) refused.push(refuse(task, page, position, read, [], false));
    else lines.add(page.task.page, position, contentHash(bytes), read.record, read.exact);
  }
  return refused;
}

type Said = Omit<Refusal, 'rule'> & { readonly rule: string };

function refuse(
  task: CutTask,
  page: OpenPage,
  position: number,
  said: Said,
  key: readonly (string | null)[],
  releasable: boolean,
): RefusedRecord {
  const bytes = recordBytes(page, position);
  page.refused.add(position);
  const span: ByteSpan = { start: page.spans[2 * position] ?? 0, end: page.spans[2 * position + 1] ?? 0 };
  return {
    ...said,
    id: contentHash(bytes),
    stream: task.stream,
    key,
    page: page.task.key,
    position,
    span,
    body: bytes.toString('base64'),
    releasable,
    at: task.now,
  };
}

async function narrow(task: CutTask, engine: Engine, pages: OpenPage[], refused: RefusedRecord[], longest: number): Promise<CutResult> {
  await engine.run(task.narrowPass.replace(LONGEST_LINE, String(longest)));
  const [totals] = await engine.rows(task.narrowTotals);
  for (const row of await engine.rows(task.narrowRefused)) refused.push(refuseByVerdict(task, pages, row));
  await writeRefused(task.refusedPath, refused);
  return {
    pages: pages.map((page) => closePage(page)),
    longest,
    accepted: Number(totals?.['accepted'] ?? 0),
    refused: refused.length,
    first: totals?.['first'] == null ? null : Number(totals['first']),
    last: totals?.['last'] == null ? null : Number(totals['last']),
  };
}

function refuseByVerdict(task: CutTask, pages: readonly OpenPage[], row: Record<string, unknown>): RefusedRecord {
  const page = pages.find((candidate) => candidate.task.page === row['p']);
  if (!page) throw new Error(`the narrow pass named page ${String(row['p'])}, which was not given`);
  const position = Number(row['i']);
  const key = (row['key'] as readonly (string | null)[]).map((part) => part ?? null);
  const rule = task.rules[Number(row['verdict'])];
  const record = recordBytes(page, position).toString();
  return rule
    ? refuse(
        task,
        page,
        position,
        {
          rule: rule.name,
          reason: `the rule "${rule.name}" does not hold`,
          value: fieldText(record, rule.field),
        },
        key,
        true,
      )
    : refuse(task, page, position, structural(String(row['verdict'])), key, false);
}

function structural(verdict: string): Said {
  const reason = verdict === 'key' ? 'a key field is absent, null or empty' : 'a version field is absent, or not of the configured form';
  return { rule: verdict, reason, value: null };
}

/** The field's value as it was written, cut short. */
function fieldText(record: string, field: string): string | null {
  const bytes = Buffer.from(record);
  const { captured } = measureBody(Buffer.from(`[${record}]`), { records: [], envelope: [], capture: [field] });
  const [start = 0, end = 0] = captured;
  return end === 0 ? null : bytes.toString('utf8', start - 1, Math.min(end - 1, start + 199));
}

/** The shape that the schema must hold is that of accepted records: one bad amount must not turn the column into JSON. */
function closePage(page: OpenPage): CutPage {
  const { task, sha256, records, refused } = page;
  return { page: task.page, sha256, records, shape: refused.size === 0 ? page.shape : shapeToJson(acceptedShape(page)) };
}

function acceptedShape(page: OpenPage): Shape {
  const parts: Buffer[] = [];
  for (let position = 0; position < page.records; position++) {
    if (!page.refused.has(position)) parts.push(recordBytes(page, position), Buffer.from('\n'));
  }
  return measureBody(Buffer.concat(parts), { records: 'lines', envelope: [], capture: [] }).shape;
}

async function writeRefused(path: string, refused: readonly RefusedRecord[]): Promise<void> {
  if (refused.length === 0) return;
  const file = await open(path, 'w');
  try {
    for (const record of refused) await file.writeFile(`${JSON.stringify(record)}\n`);
  } finally {
    await file.close();
  }
}
