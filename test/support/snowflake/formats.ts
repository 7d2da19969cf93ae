import { unsupported } from './errors.ts';

const ELEMENTS: readonly [string, string][] = [
  ['YYYY', '%Y'],
  ['MM', '%m'],
  ['DD', '%d'],
  ['HH24', '%H'],
  ['MI', '%M'],
  ['SS', '%S'],
  ['FF9', '%n'],
  ['FF6', '%f'],
  ['FF3', '%g'],
  // The server's sessions answer in the zone that they set; anything else than UTC is refused where the session is set up.
  ['TZH:TZM', '+00:00'],
  ['TZHTZM', '+0000'],
];

/** A format of the service, such as `YYYY-MM-DD"T"HH24:MI:SS.FF6`, for strftime. @throws for an element that is not known. */
export function timestampFormat(format: string): string {
  let out = '';
  for (let rest = format; rest !== ''; ) {
    const quoted = /^"([^"]*)"/.exec(rest);
    const element = ELEMENTS.find(([name]) => rest.startsWith(name));
    if (quoted) out += quoted[1]?.replaceAll('%', '%%');
    else if (element) out += element[1];
    else if (/^[A-SU-Ya-z]/.test(rest)) throw unsupported(`timestamp format ${format}`);
    else out += rest[0] === '%' ? '%%' : rest[0];
    rest = rest.slice(quoted?.[0].length ?? element?.[0].length ?? 1);
  }
  return out;
}
