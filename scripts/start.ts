// npm start: an engine of its own, the WAR in a real Tomcat, step by step, until Ctrl-C; then nothing is left but the
// cache of built images. Not the way to run an engine for good: that is `podwright serve`.
import { setTimeout as sleep } from 'node:timers/promises';
import { createProcessCli } from '../src/cli/process-cli.ts';
import { up } from '../src/cli/up.ts';
import { PODS } from '../src/client/resources.ts';
import type { Engine } from '../src/main/engine.ts';
import { interrupted, loadImages, startScratchEngine } from './scratch-engine.ts';

const POD = { namespace: 'default', name: 'javaweb' };
const PATH = '/sample/';

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}

/** Prints the address once the page is really served: Tomcat listens some time before it has unpacked the WAR. */
async function announceUrl(engine: Engine): Promise<void> {
  for (;;) {
    const pod = await engine.api.get(PODS, POD).catch(() => undefined);
    const port = pod?.spec?.containers[0]?.ports?.[0];
    const url =
      port?.hostPort === undefined
        ? `http://${pod?.status?.podIP}:8080${PATH}`
        : `http://127.0.0.1:${port.hostPort}${PATH}`;
    if (pod?.status?.podIP !== undefined && (await answers(url))) {
      process.stdout.write(`\n  ${url}  answers with the page of the WAR; Ctrl-C stops the pod\n\n`);
      return;
    }
    await sleep(200);
  }
}

const scratch = await startScratchEngine('start');
try {
  await loadImages(scratch, ['sample', 'tomcat']);
  const isInterrupted = (await Promise.race([interrupted, undefined])) === 'interrupted';
  if (!isInterrupted) {
    const cli = createProcessCli({ ...scratch.dirs, namespace: 'default' });
    void announceUrl(scratch.engine);
    process.exitCode = await up(cli, ['examples/javaweb.yaml'], {
      mode: 'attached',
      timeoutMs: 60_000,
      connectOrStart: async () => cli.connect(),
    });
  }
} finally {
  await scratch.end();
}
process.exit();
