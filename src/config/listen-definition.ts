import { z } from 'zod';
import { DAY, HOUR, SECOND } from '../time.ts';
import { choice, duration, list, matching, secret, section, text } from './leaves.ts';
import { parseResponsePath } from './response-path.ts';
import { bytesOf } from './size.ts';

/** `listen` of a stream: the partner's pushes, and how they are signed. */

const headerName = () => matching('the name of a header', /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/);

const SIGNED = 'a text with {timestamp} that ends in {body}, as "{timestamp}.{body}"';
const isSigned = (value: string): boolean =>
  value.endsWith('{body}') && value.includes('{timestamp}') && value.split('{body}').length === 2;

const signature = section({
  header: headerName().optional().describe('Where the signature stands; default x-signature'),
  timestamp: headerName().optional().describe('Header of the time of sending; left out where the signature itself says it, as t=…,v1=…'),
  encoding: choice(['hex', 'base64']).optional().describe('Of the HMAC-SHA256; default hex'),
  signed: text(SIGNED, isSigned, /^.*\{body\}$/)
    .optional()
    .describe('What is signed; {id} is the delivery id; default "{timestamp}.{body}"'),
});

const SECRETS = 'env:NAME or file:PATH, or a list of one or two of them';
const BODY = 'record, ndjson, or the path of the array of records, as $ or $.data';
const isBody = (value: string): boolean => value === 'record' || value === 'ndjson' || parseResponsePath(value) !== null;
const MOST_BODY = 100_000_000;
const SIZE = /^\d+(?:\.\d+)?(?:MB|MiB)$/;
const isBodySize = (value: string): boolean => {
  const bytes = SIZE.test(value) ? bytesOf(value) : null;
  return bytes !== null && bytes >= 1000 && bytes <= MOST_BODY;
};

export const listen = section({
  path: matching('a path, as /payments', /^\/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-]$/)
    .optional()
    .describe('Where this stream takes pushes; default / and its name'),
  secrets: z
    .union([secret(), list(secret(), 'secrets').min(1).max(2)], { error: `expected ${SECRETS}` })
    .describe('What pushes are signed with; two while one takes the place of the other'),
  signature: signature.optional().describe('How pushes are signed'),
  delivery: headerName().optional().describe('Header of the id of a delivery, the same where it is sent again'),
  body: text(BODY, isBody).optional().describe(`What a body is: ${BODY}; default record`),
  tolerance: duration(SECOND, DAY)
    .optional()
    .describe('How far the time of sending may be from ours, and how long replays are known; default 5m'),
  maxBody: text('a size of at most 100MB, as 5MB', isBodySize, SIZE).optional().describe('The largest body; default 5MB'),
  window: duration(SECOND, HOUR).optional().describe('Pushes of so much time are normalized and loaded together; default 1m'),
});

export type ListenInput = z.infer<typeof listen>;
