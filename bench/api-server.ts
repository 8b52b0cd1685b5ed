// The API server of the bench, alone in a process: no agent, no scheduler. Its parent asks over IPC how long the event loop
// was held since the last question, and what the process has used of the processor and holds of memory.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createApiServer } from '../src/apiserver/apiserver.ts';
import { systemClock } from '../src/base/clock.ts';
import { silentLog } from '../src/base/log.ts';
import type { KubeObject } from '../src/client/resource-api.ts';
import { openStore } from '../src/store/store.ts';

const [dataDir = ''] = process.argv.slice(2);
const store = await openStore<KubeObject>({ path: `${dataDir}/store` });
const server = await createApiServer({
  store,
  dataDir,
  clock: systemClock(),
  log: silentLog,
  nodeApi: () => undefined,
});
const { kubeconfigPath } = await server.listen({ host: '127.0.0.1', port: 0 });

const RESOLUTION_MS = 1;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();
process.on('message', () => {
  const heldMs = Math.max(0, delay.max / 1e6 - RESOLUTION_MS);
  const { user, system } = process.cpuUsage();
  const residentMiB = process.memoryUsage.rss() / 2 ** 20;
  process.send?.({ heldMs, residentMiB, cpuMs: (user + system) / 1000 });
  delay.reset();
});
process.on('disconnect', () => process.exit(0));
process.send?.({ kubeconfigPath });
