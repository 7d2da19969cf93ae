/** A number with its exact digits: a double would lose them. */
export interface TypedNumber {
  readonly digits: string;
}
export type Json = null | boolean | string | TypedNumber | Json[] | { [name: string]: Json };

/** `unscaled` × 10^-scale, in plain digits. */
export function number(unscaled: bigint, scale: number): TypedNumber {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, '');
  return { digits: `${unscaled < 0n ? '-' : ''}${whole}${fraction ? `.${fraction}` : ''}` };
}

/** Canonical JSON text, written independently of the SQL that the tests hold against it. */
export function canonical(value: Json): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (isNumber(value)) return value.digits;
  const names = Object.keys(value).filter((name) => value[name] !== null);
  return `{${names
    .toSorted()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name] ?? null)}`)
    .join(',')}}`;
}

const isNumber = (value: object): value is TypedNumber =>
  typeof (value as TypedNumber).digits === 'string' && Object.keys(value).length === 1;
