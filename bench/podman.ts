// The peer: `podman kube play` and `kube down` of the same pod, image in podman's own store. Only where it is installed.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { IMAGES, run } from '../test/lib/engine.ts';
import { BUSYBOX } from '../test/lib/manifests.ts';
import type { Contestant } from './contestant.ts';
import { benchPod } from './engine.ts';
import type { BenchOptions } from './options.ts';

type Podman = (...args: string[]) => Promise<string>;

/** Podman raises limits to its own defaults, which fails where CAP_SYS_RESOURCE is missing: it gets those there are. */
function withOwnLimits(dir: string, { runtime }: BenchOptions): Podman {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const hard = (name: string): string =>
    new RegExp(`^${name}\\s+\\S+\\s+(\\d+)`, 'm').exec(limits)?.[1] ?? '1024';
  const ulimits = [`nofile=1024:${hard('Max open files')}`, `nproc=1024:${hard('Max processes')}`];
  const config = join(dir, 'containers.conf');
  const engine = runtime === undefined ? '' : `[engine]\nruntime = "${runtime}"\n`;
  writeFileSync(config, `[containers]\ndefault_ulimits = ${JSON.stringify(ulimits)}\n${engine}`);
  return async (...args) => {
    const { code, stdout, stderr } = await run('podman', args, { CONTAINERS_CONF: config });
    if (code !== 0) throw new Error(`podman ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  };
}

export async function openPodman(containers: number, options: BenchOptions): Promise<readonly Contestant[]> {
  if (!existsSync('/usr/bin/podman')) return [];
  const dir = mkdtempSync('/var/tmp/podwright-podman-');
  const podman = withOwnLimits(dir, options);
  const file = join(dir, 'pod.json');
  writeFileSync(file, JSON.stringify(benchPod('podman-bench', containers)));
  await podman('load', '--input', join(IMAGES, 'busybox.tar'));
  const version = (await podman('--version')).replace('podman version ', '');
  try {
    await podman('kube', 'play', file);
    await podman('kube', 'down', file);
  } catch (error) {
    // What it half made is taken away as far as podman can.
    await podman('kube', 'down', file).catch(() => '');
    process.stderr.write(`without podman: it does not work here: ${String(error)}\n`);
    rmSync(dir, { recursive: true, force: true });
    return [];
  }
  const contestant: Contestant = {
    name: `podman ${version} kube`,
    up: async () => void (await podman('kube', 'play', file)),
    down: async () => void (await podman('kube', 'down', file)),
    exec: async (command) => void (await podman('exec', 'podman-bench-c0', ...command)),
    close: async () => {
      await podman('rmi', '--force', BUSYBOX);
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return [contestant];
}
