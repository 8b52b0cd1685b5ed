// The pods of a soak: random ones of every habit a container can have, and steady ones that nobody touches, by which is
// seen whether the engine's own troubles reach a pod.
import type { Container, Pod, PodSpec } from '../../../src/kube/api-types.ts';
import { podOf, shell } from '../manifests.ts';
import type { Random } from './random.ts';

export const IMAGES = ['localhost/podwright/busybox:1', 'localhost/podwright/busybox:2'] as const;
export const STEADY_LABEL = 'steady';
const ECHO_PORT = 7007;
const HOST_PORTS = { from: 30_100, to: 30_140 } as const;

/** What a container does, by its habit. */
const HABITS = {
  polite: 'trap "exit 0" TERM; while :; do echo tick; sleep 1 & wait $!; done',
  sleeper: 'exec sleep 3600',
  stubborn: 'trap "" TERM; while :; do sleep 1; done',
  forker: 'sleep 3601 & sleep 3602 & (sleep 3603 &) ; exec sleep 3604',
  crasher: 'sleep 0.3; exit 3',
  finisher: 'echo done; exit 0',
  noisy: 'head -c 300000 /dev/urandom | base64; exec sleep 3605',
  hungry: 'exec tail /dev/zero',
  writer: 'while :; do echo x >> /data/of-$HOSTNAME; sleep 0.2; done',
} as const;
const NAMES = Object.keys(HABITS) as (keyof typeof HABITS)[];

const VOLUMES = [
  { name: 'data', emptyDir: {} },
  { name: 'memory', emptyDir: { medium: 'Memory' } },
];
const MOUNTS = [
  { name: 'data', mountPath: '/data' },
  { name: 'memory', mountPath: '/memory', subPath: 'part' },
];

function randomContainer(random: Random, name: string): Container {
  const habit = random.pick(NAMES) ?? 'sleeper';
  const image = random.pick(IMAGES) ?? IMAGES[0];
  const container = shell(name, HABITS[habit], { image, volumeMounts: MOUNTS });
  if (habit === 'hungry') return { ...container, resources: { limits: { memory: '32Mi' } } };
  if (habit === 'sleeper' && random.chance(30))
    return {
      ...container,
      ports: [{ containerPort: 80, hostPort: random.integer(HOST_PORTS.from, HOST_PORTS.to) }],
    };
  return container;
}

function randomInits(random: Random): Container[] {
  const inits = Array.from({ length: random.integer(0, 2) }, (_, index) =>
    shell(`init-${index}`, random.chance(10) ? 'exit 1' : 'echo ready > /data/init', {
      volumeMounts: MOUNTS,
    }),
  );
  const sidecar = shell('sidecar', HABITS[random.chance(50) ? 'polite' : 'stubborn'], {
    restartPolicy: 'Always',
    volumeMounts: MOUNTS,
  });
  return random.chance(30) ? [...inits, sidecar] : inits;
}

/** @param hostDir a directory of the host with a file in it that must still be there at the end. */
export function randomPod(random: Random, name: string, hostDir: string): Pod {
  const containers = Array.from({ length: random.integer(1, 3) }, (_, index) =>
    randomContainer(random, `c-${index}`),
  );
  const more: Partial<PodSpec> = {
    restartPolicy: random.pick(['Always', 'Always', 'OnFailure', 'Never'] as const),
    terminationGracePeriodSeconds: random.integer(1, 4),
    initContainers: randomInits(random),
    shareProcessNamespace: random.chance(20),
    hostNetwork: false,
    volumes: [...VOLUMES, { name: 'host', hostPath: { path: hostDir } }],
  };
  const [first, ...rest] = containers;
  const withHost =
    first === undefined
      ? []
      : [{ ...first, volumeMounts: [...MOUNTS, { name: 'host', mountPath: '/host' }] }];
  return podOf(name, [...withHost, ...rest], more);
}

/** Counts into its log five times a second; answers on a port what is sent there, over one connection for ever. */
export function steadyPods(): readonly Pod[] {
  const count = 'n=0; while :; do n=$((n+1)); echo $n; sleep 0.2; done';
  const plain = podOf('steady-plain', [
    shell('counter', count),
    shell('echo', `exec nc -l -p ${ECHO_PORT} -e cat`),
  ]);
  const rich = podOf('steady-rich', [shell('app', HABITS.forker, { volumeMounts: MOUNTS })], {
    shareProcessNamespace: true,
    initContainers: [shell('sidecar', HABITS.polite, { restartPolicy: 'Always', volumeMounts: MOUNTS })],
    volumes: VOLUMES,
  });
  return [plain, rich].map((pod) => ({
    ...pod,
    metadata: { ...pod.metadata, labels: { [STEADY_LABEL]: 'yes' } },
  }));
}

export const STEADY_COUNTER = { pod: 'steady-plain', container: 'counter' } as const;
export const STEADY_ECHO = { pod: 'steady-plain', port: ECHO_PORT } as const;
