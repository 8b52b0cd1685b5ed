// A program for crash.test.ts: an engine that starts pods until it is killed. Arguments: the rig's parts as JSON.
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { openLinuxMachine, type RigParts, untilWarm } from './linux-rig.ts';
import { containerConfig, podIdentity, sandboxConfig } from './machine-contract.ts';

const parts = JSON.parse(process.argv[2] ?? '') as RigParts;
const machine = await openLinuxMachine(parts, { clock: systemClock(), log: silentLog });
await untilWarm(parts);
const never = new AbortController().signal;

async function startPod(name: string): Promise<void> {
  const pod = podIdentity(name);
  await machine.createSandbox(sandboxConfig(pod), never);
  for (const container of ['one', 'two']) {
    const command = ['sleep', '1000'];
    const id = await machine.createContainer(
      containerConfig(pod, { name: container, imageId: parts.imageId, command }),
      never,
    );
    await machine.startContainer(id);
  }
}

process.stdout.write('ready\n');
for (;;) await Promise.all(['a', 'b', 'c'].map(startPod));
