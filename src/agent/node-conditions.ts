// The conditions of the Node, with the kubelet's reasons and messages. lastTransitionTime moves only when the status does.
// https://kubernetes.io/docs/reference/node/node-status/#condition
import type { NodeCondition } from '../kube/api-types.ts';
import type { PressureCondition } from './eviction/pressure.ts';

export type Verdict = {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
};

export const READY: Verdict = {
  status: 'True',
  reason: 'KubeletReady',
  message: 'the node agent is posting ready status',
};
export const NOT_READY: Verdict = {
  status: 'False',
  reason: 'KubeletNotReady',
  message: 'the node agent has been stopped',
};

const PRESSURE: {
  readonly [Type in PressureCondition]: {
    readonly True: Omit<Verdict, 'status'>;
    readonly False: Omit<Verdict, 'status'>;
  };
} = {
  MemoryPressure: {
    True: { reason: 'KubeletHasInsufficientMemory', message: 'kubelet has insufficient memory available' },
    False: { reason: 'KubeletHasSufficientMemory', message: 'kubelet has sufficient memory available' },
  },
  DiskPressure: {
    True: { reason: 'KubeletHasDiskPressure', message: 'kubelet has disk pressure' },
    False: { reason: 'KubeletHasNoDiskPressure', message: 'kubelet has no disk pressure' },
  },
  PIDPressure: {
    True: { reason: 'KubeletHasInsufficientPID', message: 'kubelet has insufficient PID available' },
    False: { reason: 'KubeletHasSufficientPID', message: 'kubelet has sufficient PID available' },
  },
};

export function pressureVerdicts(
  pressure: ReadonlySet<PressureCondition>,
): readonly (readonly [PressureCondition, Verdict])[] {
  return (['MemoryPressure', 'DiskPressure', 'PIDPressure'] as const).map((type) => {
    const status = pressure.has(type) ? 'True' : 'False';
    return [type, { status, ...PRESSURE[type][status] }];
  });
}

/** What others have written stays. */
export function nodeConditions(
  before: readonly NodeCondition[],
  {
    verdicts,
    nowText,
  }: { readonly verdicts: readonly (readonly [string, Verdict])[]; readonly nowText: string },
): readonly NodeCondition[] {
  const own = verdicts.map(([type, verdict]): NodeCondition => {
    const old = before.find((condition) => condition.type === type);
    const lastTransitionTime = old?.status === verdict.status ? old.lastTransitionTime : nowText;
    return { type, ...verdict, lastHeartbeatTime: nowText, lastTransitionTime };
  });
  return [...before.filter(({ type }) => !own.some((one) => one.type === type)), ...own];
}
