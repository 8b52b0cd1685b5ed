// Which web pages may speak to the API. A browser may have the administrator's client certificate, and shows it for whichever page
// asks; it says for which in the header Origin, which no page can change. Clients that are no browsers send none.
import type { IncomingMessage } from 'node:http';
import { PodwrightError } from '../../base/errors.ts';

/** Pages of this machine: dashboards, most of them through `kubectl proxy`. */
const OWN_HOSTS = ['localhost', '127.0.0.1', '[::1]'];

/** @throws Forbidden for a request of a page that lies neither here nor on this machine. */
export function refuseForeignPage({ headers }: IncomingMessage): void {
  const { origin, host } = headers;
  if (origin === undefined) return;
  const page = URL.canParse(origin) ? new URL(origin) : undefined;
  if (page !== undefined && (page.host === host || OWN_HOSTS.includes(page.hostname))) return;
  throw new PodwrightError('Forbidden', `requests of pages from ${JSON.stringify(origin)} are not served`);
}
