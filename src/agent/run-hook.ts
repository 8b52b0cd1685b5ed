// Carries out a postStart or preStop hook: exec, httpGet or sleep. tcpSocket is in the API for old clients only and fails,
// as with the kubelet (pkg/kubelet/lifecycle/handlers.go).
import type { ContainerId } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { PodwrightError } from '../base/errors.ts';
import type { Container, LifecycleHandler } from '../kube/api-types.ts';
import type { Machine } from '../machine/machine.ts';
import { checkOf } from './checks/check.ts';
import { execCheck } from './checks/exec-check.ts';
import { httpCall } from './checks/http-check.ts';

export type HookTarget = { readonly container: Container; readonly id: ContainerId; readonly podIp: string };
export type HookTools = {
  readonly machine: Pick<Machine, 'exec'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

/** Throws HookFailed. */
export async function runHook(
  handler: LifecycleHandler,
  target: HookTarget,
  tools: HookTools,
): Promise<void> {
  const { signal } = tools;
  if (handler.sleep !== undefined) return sleep(handler.sleep.seconds * 1000, tools);
  const check = checkOf({ exec: handler.exec, httpGet: handler.httpGet }, target);
  switch (check.kind) {
    case 'exec': {
      const result = await execCheck(check, { machine: tools.machine, signal, timeoutMs: 0 });
      if (result.kind !== 'success') throw failed(target, `${check.command.join(' ')}: ${result.output}`);
      return;
    }
    case 'http':
      try {
        return await httpCall(check, signal);
      } catch (cause) {
        throw failed(target, `GET ${check.path} of port ${check.port}`, cause);
      }
    default:
      throw failed(target, check.kind === 'invalid' ? check.why : 'invalid handler');
  }
}

function failed({ container }: HookTarget, why: string, cause?: unknown): PodwrightError {
  return new PodwrightError('HookFailed', `hook of container ${container.name}: ${why}`, { cause });
}

function sleep(ms: number, { clock, signal }: HookTools): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.at(clock.nowMs() + ms, resolve);
    signal.addEventListener(
      'abort',
      () => {
        cancel();
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
