/** Everything random in the partner's world is a hash of the seed and a place, so nothing has to be remembered. */

/** 32 well-mixed bits of two numbers; only the low 32 bits of each count. */
export function mix(a: number, b: number): number {
  let h = (Math.imul(a, 0x9e3779b1) + b) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export function mixText(seed: number, text: string): number {
  let h = seed;
  for (let i = 0; i < text.length; i += 1) h = mix(h, text.charCodeAt(i));
  return h;
}

const RANGE = 2 ** 32;

/** Whether a draw of 32 bits falls into a share between 0 and 1. */
export function hits(draw: number, share: number): boolean {
  return draw < share * RANGE;
}

/** A draw of 32 bits as a number in [0, 1). */
export function fraction(draw: number): number {
  return draw / RANGE;
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

/** Eight lower-case hexadecimal digits. */
export function hex8(n: number): string {
  return `${HEX[n >>> 24]}${HEX[(n >>> 16) & 255]}${HEX[(n >>> 8) & 255]}${HEX[n & 255]}`;
}

/** Four lower-case hexadecimal digits of a number below 65,536. */
export function hex4(n: number): string {
  return `${HEX[(n >>> 8) & 255]}${HEX[n & 255]}`;
}
