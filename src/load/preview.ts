import type { Engine, EngineRow, EngineValue } from '../engine.ts';
import type { Batch } from '../manifest/documents.ts';
import type { RecordSchema } from '../schema/types.ts';
import { unionSchemas } from '../schema/union.ts';
import type { Stream } from '../stream.ts';
import { evolveTable } from './evolve.ts';
import { jsonAt } from './place.ts';
import * as changes from './preview-statements.ts';
import * as sql from './statements.ts';
import type { StreamTable } from './tables.ts';
import { numberOf, textOf } from './values.ts';
import { type LoadPreview, PREVIEW_KINDS, type PreviewKind, type PreviewMoney, type PreviewSample } from './warehouse.ts';

/** Samples of each kind. */
const SAMPLES = 5;

/**
 * What a load would change, told without changing it.
 * @param table null where the stream has none yet: every row is inserted then.
 * @param known schema that has the rows of both, where the table's own does not tell its types.
 */
export async function previewLoad(
  engine: Engine,
  stream: Stream,
  batch: Batch,
  files: readonly string[],
  table: StreamTable | null,
  known: RecordSchema | null = null,
): Promise<LoadPreview> {
  const wider = known ?? (table ? unionSchemas(table.schema, batch.schema) : batch.schema);
  const statements = table && !known ? evolveTable(stream, table.schema, wider) : [];
  if (files.length === 0) return { statements, same: 0, days: [], fields: [], money: [], samples: [] };
  const transforms = table !== null && (await engine.rows(sql.hasTransforms())).length > 0;
  await engine.run(changes.saveChanges({ stream, batch, files, table: table?.schema ?? null, wider, transforms }));
  try {
    const [same] = await engine.rows(changes.countSame());
    const days = await engine.rows(changes.countDays());
    const fields = await engine.rows(changes.countFields());
    return {
      statements,
      same: numberOf(same?.['n']),
      days: days.map((row) => ({ day: textOf(row['day']), kind: row['kind'] as PreviewKind, rows: numberOf(row['n']) })),
      fields: fields.map((row) => ({ name: textOf(row['name']), rows: numberOf(row['n']) })),
      money: await tallies(engine, stream, batch.schema, table?.schema ?? batch.schema, wider),
      samples: await samples(engine, stream),
    };
  } finally {
    await engine.run('DROP TABLE temp.changes');
  }
}

async function tallies(
  engine: Engine,
  stream: Stream,
  mine: RecordSchema,
  theirs: RecordSchema,
  wider: RecordSchema,
): Promise<PreviewMoney[]> {
  const all: PreviewMoney[] = [];
  for (const [index, measure] of changes.measuresOf(stream, wider).entries()) {
    const side = (row: EngineRow, when: 'before' | 'after', schema: RecordSchema) => ({
      amount: jsonAt(row[`${when}_amount`], changes.amountPlace(measure, schema)),
      currency: jsonAt(row[`${when}_unit`], changes.currencyPlace(measure, schema)),
    });
    for (const row of await engine.rows(changes.tallyMeasure(index))) {
      const rows = numberOf(row['n']);
      all.push({
        day: textOf(row['day']),
        label: measure.label,
        rows,
        before: side(row, 'before', theirs),
        after: side(row, 'after', mine),
      });
    }
  }
  return all;
}

async function samples(engine: Engine, stream: Stream): Promise<PreviewSample[]> {
  const all: PreviewSample[] = [];
  for (const kind of PREVIEW_KINDS) {
    for (const row of await engine.rows(changes.sampleChanges(stream, kind, SAMPLES)))
      all.push({ kind, key: stream.key.map((_, index) => textOf(row[`k${index}`])), fields: fieldsOf(row['fields']) });
  }
  return all;
}

const fieldsOf = (value: EngineValue | undefined): PreviewSample['fields'] => (Array.isArray(value) ? value : []);
