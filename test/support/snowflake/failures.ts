import { invalidIdentifier, noSuchObject, SnowflakeError } from './errors.ts';
import { decoded, shownName } from './names.ts';

const KNOWN: readonly [RegExp, (match: RegExpExecArray) => SnowflakeError][] = [
  [/Catalog Error: (?:Table|View) with name (\S+) does not exist/, (match) => noSuchObject('Object', shownName(decoded(match[1] ?? '')))],
  [/Referenced column "([^"]+)" not found/, (match) => invalidIdentifier(shownName(decoded(match[1] ?? '')))],
  [
    /(?:Table|Values list) "([^"]+)" does not have a column named "([^"]+)"/,
    (match) =>
      invalidIdentifier(
        match
          .slice(1)
          .map((name) => shownName(decoded(name)))
          .join('.'),
      ),
  ],
  [/Referenced table "([^"]+)" not found/, (match) => invalidIdentifier(shownName(decoded(match[1] ?? '')))],
  [/does not have a column with name "([^"]+)"/, (match) => invalidIdentifier(shownName(decoded(match[1] ?? '')))],
  [
    /NOT NULL constraint failed: .*?\.(?:"?)([^."]+)"?$/m,
    (match) => new SnowflakeError('100072', '22000', `NULL result in a non-nullable column ${shownName(decoded(match[1] ?? ''))}`),
  ],
  [
    /Conversion Error: Could not convert string ['"](.*?)['"] to (?:DECIMAL|INT|DOUBLE)/s,
    (match) => new SnowflakeError('100038', '22018', `Numeric value '${match[1]}' is not recognized`),
  ],
  [
    /Conversion Error: (?:invalid |)timestamp field format: "(.*?)"/s,
    (match) => new SnowflakeError('100035', '22007', `Timestamp '${match[1]}' is not recognized`),
  ],
  [
    /Conversion Error: (?:invalid |)date field format: "(.*?)"/s,
    (match) => new SnowflakeError('100040', '22007', `Date '${match[1]}' is not recognized`),
  ],
  [
    /Conversion Error: Could not convert string ['"](.*?)['"] to BOOL/s,
    (match) => new SnowflakeError('100037', '22018', `Boolean value '${match[1]}' is not recognized`),
  ],
  [
    /(?:Conversion|Out of Range) Error: (.*)/,
    (match) => new SnowflakeError('100039', '22003', `Number out of representable range: ${match[1]}`),
  ],
  [/SyntaxError: (.*)/, (match) => new SnowflakeError('100069', '22P02', `Error parsing JSON: ${match[1]}`)],
  [/Duplicate field key '(.*)'/, (match) => new SnowflakeError('100090', '22000', `Duplicate field key '${match[1]}'`)],
];

/** What DuckDB could not do, as the service would say it; what it would never say keeps DuckDB's own words and the translated statement. */
export function engineFailure(error: unknown, sql: string): Error {
  if (error instanceof SnowflakeError) return error;
  const message = error instanceof Error ? error.message : String(error);
  for (const [pattern, make] of KNOWN) {
    const match = pattern.exec(message);
    if (match) return make(match);
  }
  return new SnowflakeError('000603', 'XX000', `SQL execution internal error: ${message}\nTranslated: ${sql.slice(0, 2000)}`);
}
