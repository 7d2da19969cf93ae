import { TidemarkError } from '../errors.ts';
import { type ConfigurationInput, definition } from './definition.ts';
import { type ConfigurationDocument, type Path, readDocument, type SyntaxProblem } from './document.ts';
import { type PlacedProblem, type Problem, placed, problemsOf } from './problems.ts';
import { listenProblems, namesProblems, storeProblems, streamProblems } from './references.ts';
import { warehouseProblems } from './warehouse-references.ts';

/**
 * @param file how the file is called in messages.
 * @returns what was written, once nothing is wrong with it.
 * @throws CONFIG with every problem that was found, a line each, in the file's order.
 */
export function checkedConfiguration(text: string, file: string): ConfigurationInput {
  const document = readDocument(text);
  if (document.broken) throw configurationError([syntaxLine(document.broken, file)]);
  const parsed = definition.safeParse(document.value);
  const shape = parsed.success ? [] : problemsOf(parsed.error.issues);
  const wrong = [...shape, ...referenceProblems(document, shape)].map((problem) => placed(problem, document, file));
  const lines = [...document.duplicates.map((problem) => syntaxLine(problem, file)), ...wrong];
  if (lines.length > 0 || !parsed.success) throw configurationError(lines);
  return parsed.data;
}

/** References are judged wherever the fields that they join are right, so that one run tells everything. */
function referenceProblems(document: ConfigurationDocument, shape: readonly Problem[]): readonly Problem[] {
  const streams = streamsOf(document.value);
  const names = namesProblems(Object.keys(streams));
  const within = Object.entries(streams).flatMap(([name, stream]) => {
    const prefix = ['streams', name];
    const isWrong = (path: Path) => shape.some((problem) => overlaps(problem.path, [...prefix, ...path]));
    return streamProblems(stream, isWrong).map((problem) => ({ ...problem, path: [...prefix, ...problem.path] }));
  });
  const listening = shape.some(({ path }) => path.includes('listen')) ? [] : listenProblems(streams);
  return [...storeReferences(document, shape), ...warehouseReferences(document, shape), ...names, ...listening, ...within];
}

function storeReferences(document: ConfigurationDocument, shape: readonly Problem[]): readonly Problem[] {
  const { store } = (document.value ?? {}) as Partial<ConfigurationInput>;
  const isRight = store !== undefined && !shape.some(({ path }) => overlaps(path, ['store']));
  return isRight ? storeProblems(store) : [];
}

function warehouseReferences(document: ConfigurationDocument, shape: readonly Problem[]): readonly Problem[] {
  const { store, warehouse } = (document.value ?? {}) as Partial<ConfigurationInput>;
  const isRight = warehouse !== undefined && !shape.some(({ path }) => overlaps(path, ['warehouse']) || overlaps(path, ['store']));
  return isRight ? warehouseProblems(warehouse, store, Object.keys(streamsOf(document.value))) : [];
}

/** Unchecked: a check between fields only looks at those that were found right. */
function streamsOf(value: unknown): ConfigurationInput['streams'] {
  const { streams } = (value ?? {}) as Partial<ConfigurationInput>;
  const isMapping = typeof streams === 'object' && streams !== null && !Array.isArray(streams);
  return isMapping ? Object.fromEntries(Object.entries(streams).filter(([, stream]) => typeof stream === 'object' && stream !== null)) : {};
}

/** Whether one path is the other's beginning. */
const overlaps = (a: Path, b: Path): boolean => a.slice(0, b.length).every((step, index) => step === b[index]);

function syntaxLine({ message, position }: SyntaxProblem, file: string): PlacedProblem {
  return { position, line: `${file}:${position.line}:${position.column}  ${message}` };
}

function configurationError(problems: readonly PlacedProblem[]): TidemarkError {
  const sorted = problems.toSorted((a, b) => a.position.line - b.position.line || a.position.column - b.position.column);
  const lines = [...new Set(sorted.map(({ line }) => line))];
  return new TidemarkError({
    code: 'CONFIG',
    message: lines.join('\n'),
    hint: 'Nothing was started. Every key, with what it allows, is in tidemark.schema.json; editors check against it while you type.',
    data: { problems: lines },
  });
}
