// The peer: `podman kube play` and `kube down` of the same pod, image in podman's own store. Only where it is installed.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { IMAGES, run } from '../test/lib/engine.ts';
import { BUSYBOX } from '../test/lib/manifests.ts';
import { benchPod, type Samples } from './pods.ts';

async function podman(...args: string[]): Promise<void> {
  const { code, stderr } = await run('podman', args);
  if (code !== 0) throw new Error(`podman ${args.join(' ')}: ${stderr}`);
}

export async function measurePodman(n: number, containers: number): Promise<Samples> {
  const dir = mkdtempSync('/var/tmp/podwright-podman-');
  const upMs: number[] = [];
  const downMs: number[] = [];
  try {
    await podman('load', '--input', join(IMAGES, 'busybox.tar'));
    const file = join(dir, 'pod.json');
    writeFileSync(file, JSON.stringify(benchPod('podman-bench', containers)));
    for (let i = -1; i < n; i++) {
      const startMs = performance.now();
      await podman('kube', 'play', file);
      const upEndMs = performance.now();
      await podman('kube', 'down', file);
      if (i < 0) continue;
      upMs.push(upEndMs - startMs);
      downMs.push(performance.now() - upEndMs);
    }
    await podman('rmi', BUSYBOX);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return { upMs, downMs };
}
