import type { EngineValue } from '../engine.ts';
import { assert } from '../errors.ts';

/** Single values out of a row, which have the type that their statement gives them. */

export function textOf(value: EngineValue | undefined): string {
  assert(typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint', 'a statement gave no text where it must');
  return String(value);
}

export function numberOf(value: EngineValue | undefined): number {
  assert(typeof value === 'number' || typeof value === 'bigint', 'a statement gave no number where it must');
  return Number(value);
}

export const numberOrNull = (value: EngineValue | undefined): number | null =>
  value === null || value === undefined ? null : numberOf(value);
