import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  alternativeKey,
  backfillKey,
  batchKey,
  breachKey,
  budgetKey,
  candidateKey,
  certificateKey,
  deadLetterKey,
  generationPrefix,
  headKey,
  heldDecisionKey,
  heldKey,
  incidentKey,
  indexKey,
  isRawBody,
  lookKey,
  manifestKey,
  pageKey,
  partKey,
  quarantineDecisionKey,
  quarantineKey,
  RETENTION_TAG,
  receiptKey,
  schemaKey,
} from '../../src/store/keys.ts';
import { HOUR, parseInstant } from '../../src/time.ts';

interface Rule {
  readonly Id: string;
  readonly Prefix?: string;
  readonly TagFilters?: readonly { readonly Key: string; readonly Value: string }[];
  readonly ExpirationInDays?: number | string;
  readonly NoncurrentVersionExpiration?: unknown;
}
interface Statement {
  readonly Sid: string;
  readonly Action: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly NotResource?: readonly string[];
}

/** CloudFormation's own tags (`!Ref`, `!Sub`) are left out: what remains are their arguments. */
const template = parse(readFileSync(new URL('../../infra/bucket.yaml', import.meta.url), 'utf8'), { logLevel: 'silent' }) as {
  readonly Parameters: Readonly<Record<string, { readonly Default?: unknown; readonly Description?: string }>>;
  readonly Resources: Readonly<Record<string, { readonly Properties: Readonly<Record<string, unknown>> }>>;
};
const propertiesOf = (name: string): Readonly<Record<string, unknown>> => template.Resources[name]?.Properties ?? {};
const rules = (propertiesOf('Bucket')['LifecycleConfiguration'] as { Rules: readonly Rule[] }).Rules;
const statements = (resource: string): readonly Statement[] =>
  (propertiesOf(resource)['PolicyDocument'] as { Statement: Statement[] }).Statement;

const PREFIX = 'team/tidemark/';
const filled = (text: string): string =>
  text
    .replaceAll('${Prefix}', PREFIX)
    .replaceAll('${Bucket.Arn}', 'arn:aws:s3:::lake')
    .replace(/^Bucket\.Arn$/, 'arn:aws:s3:::lake');

/** Days after which S3 expires the object: of all rules that it falls under, the earliest. */
function expiryOf(key: string): number | null {
  const tags: Readonly<Record<string, string>> = isRawBody(key) ? { [RETENTION_TAG.name]: RETENTION_TAG.raw } : {};
  const days = rules
    .filter(({ Prefix = '' }) => `${PREFIX}${key}`.startsWith(filled(Prefix)))
    .filter(({ TagFilters = [] }) => TagFilters.every(({ Key, Value }) => tags[Key] === Value))
    .flatMap(({ ExpirationInDays }) => (ExpirationInDays === undefined ? [] : [daysOf(ExpirationInDays)]));
  return days.length === 0 ? null : Math.min(...days);
}
const daysOf = (days: number | string): number => (typeof days === 'number' ? days : Number(template.Parameters[days]?.Default));

function isAllowed(resource: string, action: string, key: string): boolean {
  const name = `arn:aws:s3:::lake/${PREFIX}${key}`;
  return statements(resource).some(
    ({ Action, Resource = [] }) => [Action].flat().includes(action) && [Resource].flat().some((pattern) => matches(pattern, name)),
  );
}
const matches = (pattern: string, name: string): boolean => {
  const full = filled(pattern);
  return full.endsWith('*') ? name.startsWith(full.slice(0, -1)) : name === full;
};

const instant = parseInstant('2026-11-20T10:00:00Z', 'iso') ?? 0;
const window = { start: instant, end: instant + HOUR };
const generation = generationPrefix({ stream: 'payments', environment: 'prod' }, window, 3);
const pushed = generationPrefix({ stream: 'payments', environment: '_' }, { ...window, kind: 'push' }, 1);
const page = pageKey(generation, 12);
const alternative = alternativeKey(generation, 12, 'ab'.repeat(32));
const RAW = 90;
const RECORD = 7 * 365 + 2;

/** Every kind of key in the layout, and how long its objects are kept. */
const KINDS: readonly (readonly [string, string, number | null])[] = [
  ['a raw page', page, RAW],
  ['another answer for its slot', alternative, RAW],
  ['a push', pageKey(pushed, 1), RAW],
  ['an index of a page', indexKey(page, 'cd'.repeat(32)), RAW],
  ['an index of another answer', indexKey(alternative, 'cd'.repeat(32)), RAW],
  ['a receipt', receiptKey(page), RECORD],
  ['a receipt of another answer', receiptKey(alternative), RECORD],
  ['a manifest', manifestKey(generation), RECORD],
  ['a part of a batch', partKey('payments', 'b', 'part', 'a', 0), RECORD],
  ['sightings', partKey('payments', 'b', 'sightings', 'a', 0), RECORD],
  ['a batch', batchKey('payments', 'b'), RECORD],
  ['a certificate', certificateKey('payments', instant), RECORD],
  ['a look', lookKey('payments', window, 'poll', 1), RECORD],
  ['a breach', breachKey('payments', instant, 'b'), RECORD],
  ['a dead letter', deadLetterKey('payments', 'id'), RECORD],
  ['refused records', quarantineKey('payments', 'b'), RECORD],
  ['a decision about a record', quarantineDecisionKey('payments', 'hash'), RECORD],
  ['a held batch', heldKey('payments', 'b'), RECORD],
  ['a decision about a batch', heldDecisionKey('payments', 'b'), RECORD],
  ['an incident', incidentKey('payments', 'id'), RECORD],
  ['a head', headKey('payments'), null],
  ['a schema', schemaKey('payments'), null],
  ['a budget', budgetKey('https://api.example.com key'), null],
  ['a plan of a backfill', backfillKey('payments', window, 1, 'plan'), null],
  ['a candidate that was looked up', candidateKey('payments', '["prod","1"]'), null],
  ['a probe', 'probe/id/document', 1],
];

describe('R5, R13, R16: the bucket of infra/bucket.yaml', () => {
  test.for(KINDS)('R5: keeps %s as long as it is to be kept', ([, key, days]) => {
    expect(expiryOf(key)).toBe(days);
  });

  test('R5: an expired object is gone for good once its version was not the current one for a month', () => {
    const versions = rules.find(({ NoncurrentVersionExpiration }) => NoncurrentVersionExpiration);
    expect(versions).toEqual({
      Id: 'former-versions',
      Status: 'Enabled',
      NoncurrentVersionExpiration: { NoncurrentDays: 'NoncurrentDays' },
      ExpiredObjectDeleteMarker: true,
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
    });
    expect(template.Parameters['NoncurrentDays']?.Default).toBe(30);
  });

  test.for(KINDS)('R16: lets the fetcher write %s, and remove no more than probes', ([, key]) => {
    expect(isAllowed('FetcherPolicy', 's3:PutObject', key)).toBe(true);
    expect(isAllowed('FetcherPolicy', 's3:GetObject', key)).toBe(true);
    expect(isAllowed('FetcherPolicy', 's3:PutObjectTagging', key)).toBe(key.startsWith('raw/'));
    expect(isAllowed('FetcherPolicy', 's3:DeleteObject', key)).toBe(key.startsWith('probe/'));
    expect(isAllowed('ReaderPolicy', 's3:GetObject', key)).toBe(true);
    expect(isAllowed('ReaderPolicy', 's3:PutObject', key)).toBe(false);
  });

  test.for(KINDS)('R13: lets nobody replace %s, unless it is a document of state or a probe', ([, key]) => {
    const { NotResource = [], ...rest } = statements('BucketPolicy').find(({ Sid }) => Sid === 'CreateOnly') ?? {};
    expect(rest).toMatchObject({
      Effect: 'Deny',
      Principal: '*',
      Action: 's3:PutObject',
      Condition: { Null: { 's3:if-none-match': 'true' } },
    });
    const isExempt = NotResource.some((pattern) => matches(pattern, `arn:aws:s3:::lake/${PREFIX}${key}`));
    expect(isExempt).toBe(/^(state|probe)\//.test(key));
  });

  test('R16: is versioned, private, encrypted under a key of its own, and reached through TLS alone', () => {
    expect(propertiesOf('Bucket')).toMatchObject({
      VersioningConfiguration: { Status: 'Enabled' },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [{ BucketKeyEnabled: true, ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' } }],
      },
    });
    expect(propertiesOf('Key')).toMatchObject({ EnableKeyRotation: true });
    expect(statements('BucketPolicy')[0]).toMatchObject({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } });
  });

  test('every parameter says what it is', () => {
    for (const { Description } of Object.values(template.Parameters)) expect(Description?.length).toBeGreaterThan(20);
  });
});
