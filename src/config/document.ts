import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, visit } from 'yaml';

export type Path = readonly (string | number)[];

/** One-based. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface SyntaxProblem {
  readonly message: string;
  readonly position: Position;
}

/** A YAML text, its value, and where in the text each part of the value stands. */
export interface ConfigurationDocument {
  /** What makes the text no YAML; the first of it, since whatever follows tends to be its echo. */
  readonly broken: SyntaxProblem | null;
  /** Keys that stand twice in one mapping. */
  readonly duplicates: readonly SyntaxProblem[];
  readonly value: unknown;
  /** Of the value at `path`; where there is none, of the nearest part above it that there is. */
  positionOf(path: Path): Position;
  /** Of the key that `path` ends in. */
  keyPositionOf(path: Path): Position;
}

export function readDocument(text: string): ConfigurationDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, resolveKnownTags: false });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const [duplicates, errors] = split([...document.errors, ...document.warnings], ({ code }) => code === 'DUPLICATE_KEY');
  const problems = errors.map(({ message, pos }) => ({ message: withoutSource(message), position: at(pos[0]) }));
  const unreadable = problems[0] ?? aliasProblem(document, at);
  return {
    broken: unreadable,
    duplicates: duplicates.map(({ pos }) => ({ message: DUPLICATE, position: at(pos[0]) })),
    value: unreadable ? undefined : (document.toJS() as unknown),
    positionOf: (path) => at(offsetOf(document, path, 'value')),
    keyPositionOf: (path) => at(offsetOf(document, path, 'key')),
  };
}

/** Aliases that name nothing, or unfold without end, would only show when the value is made. */
function aliasProblem(document: Document.Parsed, at: (offset: number) => Position): SyntaxProblem | null {
  try {
    document.toJS();
    return null;
  } catch {
    let first: number | null = null;
    visit(document, { Alias: (_, node) => void (first ??= node.resolve(document) ? null : startOf(node)) });
    const message = first === null ? 'aliases unfold to too much' : 'this alias names no anchor that stands before it';
    return { message, position: at(first ?? 0) };
  }
}

const DUPLICATE = 'this key is there already; a key stands once in a mapping';

/** The parser quotes what it stumbled over, which may be a secret. */
const withoutSource = (message: string): string => message.replace(/: ".*$/s, '').replace(/\.?\s*$/, '');

function split<T>(values: readonly T[], test: (value: T) => boolean): readonly [yes: readonly T[], no: readonly T[]] {
  return [values.filter(test), values.filter((value) => !test(value))];
}

function offsetOf(document: Document.Parsed, path: Path, which: 'key' | 'value'): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [index, step] of path.entries()) {
    const pair = pairAt(resolved(document, node), step);
    if (!pair) return offset;
    const last = index === path.length - 1;
    const key = startOf(pair.key) ?? offset;
    // A part that lies above what is missing is shown by its key: its value may begin lines further down.
    offset = last && which === 'value' ? (startOf(pair.value) ?? key) : key;
    node = pair.value;
  }
  return offset;
}

function pairAt(node: unknown, step: string | number): Pick<Pair, 'key' | 'value'> | null {
  if (isSeq(node)) {
    const item = node.items[Number(step)];
    return item === undefined ? null : { key: item, value: item };
  }
  if (!isMap(node)) return null;
  // Of a key that stands twice, the last is the one that counts.
  return node.items.findLast(({ key }) => isScalar(key) && String(key.value) === String(step)) ?? null;
}

const resolved = (document: Document.Parsed, node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);

function startOf(node: unknown): number | null {
  const range = (node as Node | null)?.range;
  return range ? range[0] : null;
}
