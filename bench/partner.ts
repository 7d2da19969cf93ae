import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { partnerOptions } from '../src/partner/options.ts';
import { PartnerService } from '../src/partner/service.ts';
import { createWorld } from '../src/partner/world.ts';
import { jobOfThisProcess } from './child.ts';
import { KEY, PAGE_SIZE } from './setup.ts';
import { WORKLOAD_START, workloadEnd, workloadSource } from './workload.ts';

/** Events whose pages fit into memory together. */
const MOST_HELD = 4_000_000;

/**
 * The simulated partner with the workload as its events, without faults. Its pages are made before it listens, so that what is measured
 * beside the fetch is serving them, unless they are too many; it says where it listens, and at the end what that cost.
 */
const { workload } = jobOfThisProcess();
const end = workloadEnd(workload);
const options = partnerOptions({ faults: 'none', keys: [KEY], requestsPerMinute: 1_000_000, start: WORKLOAD_START, end, now: end });
const service = new PartnerService(options, { ...createWorld(options), payments: workloadSource(workload) });

/** By the cursor that asks for them; the first one by none. */
const pages = new Map<string | null, Buffer>();
for (let cursor: string | null | undefined = null; cursor !== undefined && workload.events <= MOST_HELD; ) {
  const body = askFor(cursor);
  pages.set(cursor, body);
  cursor = /"next_cursor":"([^"]+)"/.exec(body.toString('latin1', body.length - 1000))?.[1];
}

function askFor(cursor: string | null): Buffer {
  const query = new URLSearchParams({ page_size: String(PAGE_SIZE), ...(cursor === null ? {} : { cursor }) });
  return service.answer({ target: `/events?${query.toString()}`, authorization: `Bearer ${KEY}` }, end).body;
}

function serve(target: string, authorization: string | undefined, response: ServerResponse): void {
  const cursor = new URL(target, 'http://partner').searchParams.get('cursor');
  const body = workload.events <= MOST_HELD ? pages.get(cursor) : askFor(cursor);
  if (body && authorization === `Bearer ${KEY}`) {
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': body.length }).end(body);
  } else response.writeHead(404).end();
}

const server = createServer(({ url = '', headers }, response) => serve(url, headers.authorization, response));
server.listen(0, '127.0.0.1', () => {
  const before = process.cpuUsage();
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  process.once('message', () => {
    const { user, system } = process.cpuUsage(before);
    process.send?.({ cpuSeconds: (user + system) / 1e6 });
    server.closeAllConnections();
    server.close(() => process.disconnect());
  });
});
