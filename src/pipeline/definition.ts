import { parseRule, ruleSql } from '../gate/rules.ts';
import type { Definition } from '../normalize/definition.ts';
import type { Stream } from '../stream.ts';

/** A stream as the normalizer knows it: the gate's rules have become conditions. */
export function definitionOf(stream: Stream): Definition {
  return {
    stream: stream.name,
    key: stream.key,
    version: stream.version,
    records: stream.source.records,
    ...(stream.transform ? { transform: stream.transform } : {}),
    ...(stream.contract && stream.contract.length > 0 ? { contract: stream.contract } : {}),
    rules: stream.quality.rows.map(({ field, text }) => {
      const rule = parseRule(text);
      return { name: `${field}: ${text}`, field, passes: (valueSql) => ruleSql(rule, valueSql) };
    }),
  };
}
