// An engine for trying things: directories below .podwright/<name> and /run, images from the build cache, and an end that
// takes everything away again.
import { createHash } from 'node:crypto';
import { existsSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createLog } from '../src/base/log.ts';
import { type Engine, startEngine, wholeComputer } from '../src/main/engine.ts';
import { traces } from '../test/lib/leaks.ts';

const ROOT = join(import.meta.dirname, '..');

/** Ctrl-C at any time since the start: whatever is going on then, the end comes after it and takes everything away. */
export const interrupted = new Promise<'interrupted'>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve('interrupted'));
});

export type ScratchEngine = {
  readonly engine: Engine;
  readonly dirs: { readonly dataDir: string; readonly runDir: string; readonly logDir: string };
  /** Stops every pod, ends the engine; returns what the kernel still shows of them. */
  end(): Promise<readonly string[]>;
};

export async function startScratchEngine(name: string): Promise<ScratchEngine> {
  const dataDir = join(ROOT, '.podwright', name);
  const runDir = `/run/podwright-${name}`;
  const dirs = { dataDir, runDir, logDir: join(dataDir, 'log') };
  const engine = await startEngine({
    ...dirs,
    listen: { host: '127.0.0.1', port: 0 },
    ...wholeComputer(dirs, { name: `podwright-${name}`, podCidr: '10.89.0.0/16' }),
    log: createLog({ level: 'error' }),
  });
  return {
    engine,
    dirs,
    async end() {
      await engine.purge();
      await engine.stop();
      const instance = createHash('sha256').update(realpathSync(dataDir)).digest('hex').slice(0, 8);
      const left = traces({ dirs: [dataDir, runDir], instance });
      // What leaked is left for whoever looks for the reason.
      if (left.length === 0)
        for (const dir of [runDir, dataDir]) rmSync(dir, { recursive: true, force: true });
      return left;
    },
  };
}

/** From the build cache; those the store has already are only looked up. Ends early when interrupted. */
export async function loadImages({ engine }: ScratchEngine, names: readonly string[]): Promise<void> {
  const stop = new AbortController();
  void interrupted.then(() => stop.abort());
  for (const name of names) {
    if (stop.signal.aborted) return;
    if ((await engine.images.resolve(`localhost/podwright/${name}:1`)) !== undefined) continue;
    const archive = join(ROOT, `.podwright/images/${name}.tar`);
    if (!existsSync(archive)) throw new Error(`${archive} is missing: run npm run setup`);
    process.stdout.write(`loading image ${name}\n`);
    await engine.images.load(archive, { signal: stop.signal }).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
  }
}
