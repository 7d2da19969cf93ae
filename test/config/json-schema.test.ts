import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { definition } from '../../src/config/definition.ts';
import { configurationJsonSchema } from '../../src/config.ts';
import { EXAMPLE } from './configurations.ts';

/** `vitest run test/config -u` writes it anew. */
test('tidemark.schema.json says what the program checks', async () => {
  await expect(`${JSON.stringify(configurationJsonSchema(), null, 2)}\n`).toMatchFileSnapshot('../../tidemark.schema.json');
});

test('what editors are told fits the example', () => {
  expect(configurationJsonSchema()).toMatchObject({
    type: 'object',
    required: ['store', 'warehouse', 'streams'],
    additionalProperties: false,
  });
  expect(definition.safeParse(parse(EXAMPLE)).success).toBe(true);
});

test('every key is explained to editors', () => {
  const unexplained: string[] = [];
  visit(configurationJsonSchema(), [], unexplained);
  expect(unexplained).toEqual([]);
});

type Schema = {
  readonly description?: string;
  readonly properties?: Record<string, Schema>;
  readonly additionalProperties?: Schema | boolean;
  readonly anyOf?: readonly Schema[];
};

/** Collects the paths of properties without a description. */
function visit(schema: Schema, path: readonly string[], unexplained: string[]): void {
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    if (property.description === undefined) unexplained.push([...path, key].join('.'));
    visit(property, [...path, key], unexplained);
  }
  for (const form of schema.anyOf ?? []) visit(form, path, unexplained);
  if (typeof schema.additionalProperties === 'object') visit(schema.additionalProperties, path, unexplained);
}
