import type { z } from 'zod';
import type { ConfigurationDocument, Path, Position } from './document.ts';
import { nearest } from './suggest.ts';

/** Something that is wrong with the value at `path`. `onKey` where it is the key itself. */
export interface Problem {
  readonly path: Path;
  /** Completed with what was found where it begins with `expected`. */
  readonly message: string;
  readonly onKey?: boolean;
  /** Of an unknown key: whether it is like a known one. */
  readonly isLike?: boolean;
}

/** @returns one problem a thing that is wrong, whatever zod's own nesting. */
export function problemsOf(issues: readonly z.core.$ZodIssue[], prefix: Path = []): readonly Problem[] {
  return issues.flatMap((issue) => problemsOfIssue(issue, [...prefix, ...pathOf(issue)]));
}

function problemsOfIssue(issue: z.core.$ZodIssue, path: Path): readonly Problem[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey([...path, key], key, issue.message.split(', ')));
  if (issue.code === 'invalid_key') return [{ path, message: issue.issues[0]?.message ?? issue.message, onKey: true }];
  if (issue.code === 'invalid_union') return problemsOfUnion(issue, path);
  return [{ path, message: issue.message }];
}

function unknownKey(path: Path, key: string, allowed: readonly string[]): Problem {
  const meant = nearest(key, allowed);
  const question = meant === null ? '' : `did you mean ${meant}? `;
  return { path, message: `is not a known key; ${question}allowed are ${allowed.join(', ')}`, onKey: true, isLike: meant !== null };
}

/** Of several forms, the one that was meant is the one whose kind of value was written; its problems are worth telling. */
function problemsOfUnion(issue: z.core.$ZodIssueInvalidUnion, path: Path): readonly Problem[] {
  const meant = issue.errors.find((branch) => branch.every((inner) => inner.path.length > 0 || inner.code === 'unrecognized_keys'));
  const refused = issue.errors.find((branch) => branch.every((inner) => inner.code === 'custom' || inner.code === 'invalid_format'));
  const branch = meant ?? refused;
  return branch ? problemsOf(branch, path) : [{ path, message: issue.message }];
}

const pathOf = (issue: z.core.$ZodIssue): Path => issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));

export interface PlacedProblem {
  readonly position: Position;
  /** `tidemark.yaml:12:5  streams.payments.source.pageSize: expected …, got "many"`. */
  readonly line: string;
}

export function placed(problem: Problem, document: ConfigurationDocument, file: string): PlacedProblem {
  const position = problem.onKey ? document.keyPositionOf(problem.path) : document.positionOf(problem.path);
  const where = problem.path.length === 0 ? '' : `${shownPath(problem)}: `;
  return { position, line: `${file}:${position.line}:${position.column}  ${where}${completed(problem, document.value)}` };
}

/** Where a secret belongs, a key that is like none of the known may be the secret itself. */
function shownPath({ path, onKey, isLike }: Problem): string {
  return onKey && isLike === false && isSecretPlace(path) ? formatPath([...path.slice(0, -1), '…']) : formatPath(path);
}

function completed(problem: Problem, root: unknown): string {
  if (!problem.message.startsWith('expected')) return problem.message;
  if (problem.onKey) return `${problem.message}, got ${JSON.stringify(problem.path.at(-1))}`;
  const found = valueAt(root, problem.path);
  if (found === undefined && problem.path.length > 0) return `is missing; ${problem.message}`;
  return `${problem.message}, got ${shown(found, isSecretPlace(problem.path))}`;
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[step];
  }
  return value;
}

/** What stands under authorization may be a secret that was written where it does not belong. */
const isSecretPlace = (path: Path): boolean =>
  path.includes('auth') || (path[0] === 'warehouse' && ['privateKey', 'passphrase', 'token'].some((name) => path.includes(name)));

const SHOWN_LIMIT = 80;

function shown(value: unknown, secret: boolean): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (secret) return 'something else (not shown)';
  const text = JSON.stringify(typeof value === 'string' ? withoutCredentials(value) : value);
  return text.length > SHOWN_LIMIT ? `${text.slice(0, SHOWN_LIMIT)}…` : text;
}

/** URLs are shown without user, password and parameters. */
const withoutCredentials = (text: string): string => text.replace(/\/\/[^/]*@/, '//…@').replace(/^(\w+:\/\/[^?]*\?).*$/s, '$1…');

/** `streams.payments.key[1]`, and `quality.rows["odd name"]`. */
function formatPath(path: Path): string {
  return path.map((step, index) => formatStep(step, index === 0)).join('');
}

function formatStep(step: string | number, first: boolean): string {
  if (typeof step === 'number') return `[${step}]`;
  if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(step)) return `[${JSON.stringify(step)}]`;
  return first ? step : `.${step}`;
}
