// The fake machine keeps the contract of the real one, else its tests prove nothing.
import type { Clock } from '../../src/base/clock.ts';
import { machineContract, type Behaviour as Wanted } from '../machine/machine-contract.ts';
import { type Behaviour, FakeMachine } from './fake-machine.ts';

/** Real time whose timers keep the test alive. */
function realClock(): Clock & { activity: number } {
  return {
    activity: 0,
    nowMs: () => Date.now(),
    at(atMs, callback) {
      const timer = setTimeout(callback, atMs - Date.now());
      return () => clearTimeout(timer);
    },
  };
}

function behaviourOf([json = '{"kind":"run"}']: readonly string[]): Behaviour {
  const wanted = JSON.parse(json) as Wanted;
  switch (wanted.kind) {
    case 'exit':
      return { runMs: 5, exitCode: wanted.code, print: wanted.print };
    case 'run':
      return { sigtermMs: 5, sigtermExitCode: wanted.graceful === true ? 0 : 143 };
    case 'missing':
      return { startError: 'no such file or directory' };
  }
}

machineContract('the fake machine', async () => {
  let machine = new FakeMachine({
    clock: realClock(),
    behaviour: (_name, _attempt, command) => behaviourOf(command),
  });
  const { id: imageId } = machine.addImage('busybox:1');
  return {
    get machine() {
      return machine;
    },
    imageId,
    command: (behaviour) => [JSON.stringify(behaviour)],
    minds: async () => {},
    crash: async () => {
      machine = machine.reopen();
    },
    traces: () => machine.pods().map((pod) => pod.uid),
    end: () => machine.close(),
  };
});
