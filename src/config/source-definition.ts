import { z } from 'zod';
import { DAY, HOUR, SECOND, TIME_FORMS } from '../time.ts';
import { choice, duration, field, matching, name, parameter, responsePath, secret, section, url, wholeNumber } from './leaves.ts';

/** `source` of a stream: the API, and how it pages, authorizes and writes times. */

const auth = section({
  bearer: secret().optional().describe('A bearer token'),
  header: section({ name: matching('the name of a header', /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/), value: secret() })
    .optional()
    .describe('Any header'),
  basic: section({ user: name('a user name'), password: secret() })
    .optional()
    .describe('User and password'),
  query: section({ name: parameter(), value: secret() }).optional().describe('A query parameter'),
});

const query = section({
  since: parameter().describe('Parameter of the time from which updates are asked for'),
  size: parameter().optional().describe('Parameter of the page size, where the API has one'),
  cursor: parameter().optional().describe('Parameter of the cursor that response.next names'),
  page: parameter().optional().describe('Parameter of a page number that counts up'),
  firstPage: wholeNumber(0, 1).optional().describe('Number of the first page; default 1'),
  offset: parameter().optional().describe('Parameter of the number of records to skip'),
  lastId: parameter().optional().describe("Parameter of the last record's id; with response.id and response.order"),
});

const nextUrl = z.union([z.literal('link-header'), responsePath()], {
  error: 'expected link-header, or a path into the response, as $.links.next',
});

const response = section({
  records: responsePath().describe('Where the array of records is: $ for the body itself, $.data, $["odd name"]'),
  next: responsePath().optional().describe('Where the next cursor is; none, null or empty says that there is no more'),
  nextUrl: nextUrl.optional().describe("Where the next page's URL is: a path, or link-header for RFC 8288"),
  more: responsePath().optional().describe('Where the body says whether there is more'),
  culprit: responsePath()
    .optional()
    .describe("Where an error says which record it failed for: its key's values in order, its only value, or a mapping of columns"),
  id: field().optional().describe("The records' field that query.lastId takes"),
  order: choice(['oldest-first', 'newest-first']).optional().describe('The order in which the API lists, with query.lastId'),
});

const timeForm = () => choice(TIME_FORMS);
const times = z.union(
  [
    timeForm(),
    section({
      records: timeForm().optional().describe('In records; default iso'),
      since: timeForm().optional().describe('In query.since; default as in records'),
    }),
  ],
  {
    error: `expected one of ${TIME_FORMS.join(', ')}, or a mapping of records, since`,
  },
);

const scalar = z.union([z.string(), z.number(), z.boolean()], { error: 'expected a text, a number, true or false' });
const parameters = z.record(z.string(), scalar, { error: 'expected a mapping of query parameters' });

const circuit = section({
  failures: wholeNumber(1, 100)
    .optional()
    .describe('Failures in a row after which only single probes are sent; default 5, at most attempts'),
  longest: duration(SECOND, HOUR).optional().describe('Longest wait between two probes; default 2m'),
  patience: duration(SECOND / 10, DAY)
    .optional()
    .describe('How long a window waits before a run with --once ends with 3; default 15s'),
});

const ADDRESS = 'an http(s) address without user, password or fragment';

export const source = section({
  list: url(ADDRESS).describe('The address that lists records'),
  lookup: url(`${ADDRESS}, with {field} placeholders`)
    .optional()
    .describe('The address of one record, with the fields of its key in braces'),
  auth: auth.optional().describe('How requests are authorized: one of these; left out for none'),
  query: query.describe("Names of the list request's parameters"),
  response: response.describe('Where things stand in the answer, as paths'),
  times: times.optional().describe('How times are written, in records and in query.since; default iso'),
  parameters: parameters.optional().describe('Fixed parameters of every list request; no secrets'),
  pageSize: wholeNumber(1, 100_000).optional().describe('Records a page; default 1000'),
  requestsPerMinute: wholeNumber(1, 1_000_000).optional().describe('Most requests a minute, all of them counted; default 1000'),
  attempts: wholeNumber(1, 100).optional().describe('Attempts for one page before it goes to dead letter; default 6'),
  timeout: duration(SECOND / 10, HOUR)
    .optional()
    .describe("For one attempt, to the body's last byte; default 30s"),
  chains: section({
    most: wholeNumber(1, 64).optional().describe('Chains of one poll at once; default 8'),
    pages: wholeNumber(1, 10_000).optional().describe('A poll of more pages is split; default 20'),
  })
    .optional()
    .describe('How a live poll is split that one page after the other would bring too late'),
  circuit: circuit.optional().describe('How a source that does not answer is asked'),
});
