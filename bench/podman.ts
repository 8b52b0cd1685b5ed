// The peer: `podman kube play` and `kube down` of the same pod, image in podman's own store. Only where it is installed.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { IMAGES, run } from '../test/lib/engine.ts';
import { BUSYBOX } from '../test/lib/manifests.ts';
import type { Contestant } from './contestant.ts';
import { benchPod } from './engine.ts';

async function podman(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run('podman', args);
  if (code !== 0) throw new Error(`podman ${args.join(' ')}: ${stderr}`);
  return stdout.trim();
}

export async function openPodman(containers: number): Promise<readonly Contestant[]> {
  if (!existsSync('/usr/bin/podman')) return [];
  const dir = mkdtempSync('/var/tmp/podwright-podman-');
  const file = join(dir, 'pod.json');
  writeFileSync(file, JSON.stringify(benchPod('podman-bench', containers)));
  await podman('load', '--input', join(IMAGES, 'busybox.tar'));
  const version = (await podman('--version')).replace('podman version ', '');
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
