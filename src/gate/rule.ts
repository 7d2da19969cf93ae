import type { Pattern } from './pattern.ts';

/**
 * What a configured row rule means. A value that is absent or null passes only `absent`; every other test fails it, and `not` turns
 * that round: `not in USD` lets an absent value pass, `present and not in USD` does not.
 */
export type Rule =
  | { readonly kind: 'and' | 'or'; readonly rules: readonly Rule[] }
  | { readonly kind: 'not'; readonly rule: Rule }
  | { readonly kind: 'present' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'type'; readonly type: ScalarType }
  /** A JSON number that compares so, digit for digit; a number written as text fails. */
  | { readonly kind: 'compare'; readonly operator: Operator; readonly number: string }
  /** A text of so many characters (Unicode code points). */
  | { readonly kind: 'length'; readonly operator: Operator; readonly length: number }
  | { readonly kind: 'in'; readonly values: readonly Literal[] }
  /** A text in which the pattern is found. */
  | { readonly kind: 'matches'; readonly pattern: Pattern };

export type ScalarType = (typeof SCALAR_TYPES)[number];
export const SCALAR_TYPES = ['number', 'text', 'boolean'] as const;

export type Operator = (typeof OPERATORS)[number];
export const OPERATORS = ['>=', '<=', '!=', '>', '<', '='] as const;

export type Literal =
  | { readonly type: 'number'; readonly number: string }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'boolean'; readonly value: boolean };

/** Whether `operator` holds for two values of which the first is smaller (-1), equal (0) or greater (1). */
export function holds(operator: Operator, order: number): boolean {
  switch (operator) {
    case '>=':
      return order >= 0;
    case '<=':
      return order <= 0;
    case '!=':
      return order !== 0;
    case '>':
      return order > 0;
    case '<':
      return order < 0;
    case '=':
      return order === 0;
  }
}
