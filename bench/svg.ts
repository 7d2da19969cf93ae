/** As much of SVG as the plots need. */

export type Attributes = Readonly<Record<string, string | number>>;

export function element(name: string, attributes: Attributes, content = ''): string {
  const written = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${typeof value === 'number' ? rounded(value) : escaped(value)}"`,
  );
  return `<${name}${written.join('')}${content === '' ? '/>' : `>${content}</${name}>`}`;
}

export const text = (x: number, y: number, content: string, attributes: Attributes = {}): string =>
  element('text', { x, y, ...attributes }, escaped(content));

export const line = (x1: number, y1: number, x2: number, y2: number, attributes: Attributes): string =>
  element('line', { x1, y1, x2, y2, ...attributes });

/** Through the points that are there: null breaks the line. */
export function path(points: readonly (readonly [x: number, y: number] | null)[], attributes: Attributes): string {
  let isOn = false;
  const steps = points.map((point) => {
    const step = point ? `${isOn ? 'L' : 'M'}${rounded(point[0])} ${rounded(point[1])}` : '';
    isOn = point !== null;
    return step;
  });
  return element('path', { d: steps.join(''), fill: 'none', ...attributes });
}

export function document(width: number, height: number, title: string, content: readonly string[]): string {
  const attributes = { xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img' };
  const font = { 'font-family': 'DejaVu Sans, Verdana, Helvetica, Arial, sans-serif', 'font-size': 12, fill: '#1f2933' };
  const all = [
    element('title', {}, escaped(title)),
    element('rect', { width, height, fill: '#ffffff' }),
    element('g', font, content.join('\n')),
  ];
  return `${element('svg', attributes, `\n${all.join('\n')}\n`)}\n`;
}

const rounded = (value: number): number => Math.round(value * 10) / 10;
const escaped = (content: string): string => content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
