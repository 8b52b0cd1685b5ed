// A TCP port for a server of a test. Not from the range out of which the kernel gives ports to whoever asks for any: one
// that is let go of for a moment (an engine that is killed and started again) would soon be somebody else's.
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below net.ipv4.ip_local_port_range, above what services usually have. */
const RANGE = { from: 15_000, to: 30_000 } as const;

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)));
  });
}

export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(RANGE.from, RANGE.to);
    if (await isFree(port)) return port;
  }
}
