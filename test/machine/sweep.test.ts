// What belongs to no pod is swept when the machine is opened and from time to time; what is somebody else's stays.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { BOUNDS } from '../../src/base/bounds.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { eventually } from '../lib/engine.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { type LinuxRig, makeLinuxRig, openLinuxMachine } from './linux-rig.ts';

const CGROUPS = existsSync('/sys/fs/cgroup/pids') ? '/sys/fs/cgroup/pids' : '/sys/fs/cgroup';

/** A process that sleeps in a cgroup of that name. */
function sleeperIn(group: string): { readonly pid: number; readonly ended: Promise<unknown> } {
  mkdirSync(join(CGROUPS, group), { recursive: true });
  const child = spawn('sleep', ['300'], { stdio: 'ignore' });
  const pid = child.pid ?? assert.fail('sleep does not start');
  writeFileSync(join(CGROUPS, group, 'cgroup.procs'), String(pid));
  return { pid, ended: new Promise((resolve) => child.once('exit', resolve)) };
}

function plantLeftovers({ dirs, instance }: LinuxRig) {
  const uid = randomUUID();
  const log = join(dirs.logDir, 'pods', `default_gone_${uid}`);
  const state = join(dirs.runDir, 'runtime', `${uid}_app_0`);
  const lease = join(dirs.dataDir, 'network/leases', `${uid}_0.json`);
  for (const dir of [log, state]) mkdirSync(dir, { recursive: true });
  writeFileSync(
    lease,
    JSON.stringify({
      sandboxId: `${uid}_0`,
      pod: { uid, namespace: 'default', name: 'gone' },
      address: '10.200.1.7',
      portMappings: [],
    }),
  );
  const group = `podwright-${instance}/besteffort/pod${uid}`;
  const process = sleeperIn(join(group, `${uid}_app_0`));
  return { paths: [log, state, join(CGROUPS, group)], lease, process };
}

test('leftovers of no pod are swept at the start, foreign things stay', async () => {
  const rig = await makeLinuxRig();
  const other = `podwright-${randomUUID().slice(0, 8)}/besteffort/pod${randomUUID()}`;
  const foreign = sleeperIn(other);
  try {
    const { paths, lease, process: left } = plantLeftovers(rig);
    const notOurs = join(rig.dirs.logDir, 'somebody.log');
    writeFileSync(notOurs, '');
    await rig.crash();
    for (const path of [...paths, lease]) assert.equal(existsSync(path), false, path);
    await left.ended;
    assert.ok(existsSync(notOurs));
    process.kill(foreign.pid, 0);
    assert.ok(existsSync(join(CGROUPS, other)));
  } finally {
    process.kill(foreign.pid, 'SIGKILL');
    await foreign.ended;
    rmdirSync(join(CGROUPS, other));
    for (const parent of [join(other, '..'), join(other, '../..')]) rmdirSync(join(CGROUPS, parent));
    await rig.end();
  }
});

test('and from time to time, beside pods that live', async () => {
  const rig = await makeLinuxRig();
  const clock = new VirtualClock(systemClock().nowMs());
  await rig.machine.close();
  const machine = await openLinuxMachine(rig.parts, { clock, log: silentLog });
  try {
    const { paths, process: left } = plantLeftovers(rig);
    await clock.advance(BOUNDS.sweepMs);
    await left.ended;
    await eventually('swept', () => (paths.some((path) => existsSync(path)) ? undefined : true));
  } finally {
    await machine.close();
    await rig.crash();
    await rig.end();
  }
});
