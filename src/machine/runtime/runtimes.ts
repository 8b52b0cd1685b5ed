// The OCI runtimes that a RuntimeClass's handler may name: crun and runc, where they are installed and work. Each is tried
// once, the first time a container asks for it. They share one root: ids are unique, and each knows only its own entries.
import { errorText, PodwrightError } from '../../base/errors.ts';
import { findProgram } from '../system/spawn.ts';
import { type Runtime, type RuntimeName, runtimeNames } from './runtime.ts';

export type Runtimes = {
  /** Throws CreateFailed, in containerd's words or with the runtime's. Absent: the machine's own. */
  tried(handler: string | undefined): Promise<Runtime>;
  /** Of a container that was made. */
  of(handler: string | undefined): Runtime;
};

export function createRuntimes(own: Runtime, attempt: (runtime: Runtime) => Promise<void>): Runtimes {
  const tries = new Map<RuntimeName, Promise<Runtime>>();
  const named = (handler: string): Runtime => {
    const name = runtimeNames.find((one) => one === handler);
    if (name === undefined)
      throw new PodwrightError('CreateFailed', `no runtime for "${handler}" is configured`);
    return name === own.name ? own : { ...own, name, path: findProgram(name) };
  };
  const tryOnce = async (runtime: Runtime): Promise<Runtime> => {
    try {
      await attempt(runtime);
      return runtime;
    } catch (error) {
      tries.delete(runtime.name);
      throw new PodwrightError('CreateFailed', `runtime "${runtime.name}": ${errorText(error)}`);
    }
  };
  return {
    of: (handler) => (handler === undefined ? own : named(handler)),
    async tried(handler) {
      const runtime = handler === undefined ? own : named(handler);
      if (runtime === own) return own;
      const known = tries.get(runtime.name) ?? tryOnce(runtime);
      tries.set(runtime.name, known);
      return known;
    },
  };
}
