// podwright serve: one engine from its start to a signal. SIGINT and SIGTERM end it and leave the containers; SIGUSR2
// ends the pods first and takes away everything it made on the machine.
import { flushCompileCache } from 'node:module';
import { systemClock } from '../base/clock.ts';
import { createLog, type Log } from '../base/log.ts';
import { spans } from '../base/spans.ts';
import type { EngineStartOptions } from '../cli/options.ts';
import { readProfiles } from '../cli/scheduler-config.ts';
import { kubeletConfiguration } from '../kube/kubelet-configuration.ts';
import { READY_MESSAGE } from './background-engine.ts';
import { startEngine, wholeComputer } from './engine.ts';

function nextSignal(): Promise<'stop' | 'purge'> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve('stop'));
    process.once('SIGTERM', () => resolve('stop'));
    process.once('SIGUSR2', () => resolve('purge'));
  });
}

/** Returns the undo. */
async function startExport(log: Log): Promise<() => Promise<void>> {
  // Nothing of it is loaded where nobody asked.
  if (!Object.keys(process.env).some((name) => name.startsWith('OTEL_'))) return async () => {};
  const { exportSpans, otlpTarget } = await import('../base/otlp.ts');
  const target = otlpTarget(process.env);
  return target === undefined
    ? async () => {}
    : exportSpans(spans, target, { clock: systemClock(), log }).stop;
}

export async function serve(options: EngineStartOptions): Promise<void> {
  const { manifests, nodeName, podCidr, ...rest } = options;
  const asked = nextSignal();
  const log = createLog({ level: 'info' });
  const stopExport = await startExport(log);
  const engine = await startEngine({
    ...rest,
    profiles: await readProfiles(options.schedulerConfig),
    kubelet: kubeletConfiguration(options),
    ...wholeComputer(rest, { name: nodeName, podCidr, manifestsDir: manifests }),
    log,
  });
  process.stdout.write(`ready ${engine.url}\n`);
  // Started by `up`: it waits for this word and then lets go.
  process.send?.(READY_MESSAGE);
  // Node writes it at its end otherwise, which a killed engine never comes to.
  flushCompileCache();
  if ((await asked) === 'purge') await engine.purge();
  await engine.stop();
  await stopExport();
}
