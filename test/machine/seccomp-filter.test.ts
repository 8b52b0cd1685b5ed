// The ready-made filter, in force under a real crun. Needs root. crun gets a view of the cgroups that it never refuses.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { defaultSeccompProfile, type SeccompProfile } from '../../src/machine/runtime/seccomp-default.ts';
import { createSeccompFilters, SECCOMP_BPF_ANNOTATION } from '../../src/machine/runtime/seccomp-filter.ts';
import { runProgram } from '../../src/machine/system/spawn.ts';

/** System calls that the default profile refuses, and some it lets through. */
const PROBE = `
grep ^Seccomp: /proc/1/status
b() { busybox "$@" >/dev/null 2>&1; echo "$1 $?"; }
b unshare -U true; b unshare -m true; b mount -t tmpfs x /proc; b hostname other; b chroot / true; b date -s 2001-01-01
b sleep 0; b kill -0 1; b touch /tmp/file; b setsid true; b nice true
`;

/** All capabilities: what is refused is refused by the filter. */
const CAPABILITIES = ['CAP_SYS_ADMIN', 'CAP_SYS_CHROOT', 'CAP_KILL'];

type Filtering = { readonly json?: SeccompProfile; readonly bpf?: string | undefined };

async function probe({ json, bpf }: Filtering): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'podwright-seccomp-'));
  const id = `seccomp-${randomBytes(4).toString('hex')}`;
  try {
    for (const name of ['bin', 'dev', 'proc', 'tmp'])
      mkdirSync(join(dir, 'rootfs', name), { recursive: true });
    for (const name of ['busybox', 'sh', 'grep']) copyFileSync('/bin/busybox', join(dir, 'rootfs/bin', name));
    const sets = { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES };
    const spec = {
      ociVersion: '1.0.2',
      process: {
        args: ['/bin/sh', '-c', PROBE],
        cwd: '/',
        user: { uid: 0, gid: 0 },
        env: ['PATH=/bin'],
        capabilities: sets,
      },
      root: { path: join(dir, 'rootfs') },
      mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
      annotations: bpf === undefined ? {} : { [SECCOMP_BPF_ANNOTATION]: bpf },
      linux: {
        namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'uts' }],
        ...(json === undefined ? {} : { seccomp: json }),
      },
    };
    writeFileSync(join(dir, 'config.json'), JSON.stringify(spec));
    const crun = `crun --root ${dir}/state --cgroup-manager=disabled run --bundle ${dir} ${id}`;
    const inOwnView = `mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec ${crun}`;
    const { stdout, stderr } = await runProgram('unshare', ['--mount', 'sh', '-c', inOwnView]);
    assert.match(stdout, /Seccomp:/, stderr);
    return stdout;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

it('a ready filter alone refuses and allows exactly what the profile does', async () => {
  const profile = defaultSeccompProfile([]);
  const bpf = createSeccompFilters(silentLog)(profile);
  assert(bpf !== undefined, 'libseccomp made no filter');
  const [none, byProfile, byFilter] = [await probe({}), await probe({ json: profile }), await probe({ bpf })];
  assert.match(byFilter, /Seccomp:\s+2/);
  assert.match(byFilter, /unshare [^0]/);
  assert.match(byFilter, /hostname [^0]/);
  assert.match(byFilter, /touch 0/);
  assert.equal(byFilter, byProfile);
  assert.match(none, /Seccomp:\s+0/);
  assert.match(none, /unshare 0/);
  assert.match(none, /hostname 0/);
});

it('makes a filter for each set of granted capabilities, once', () => {
  const filters = createSeccompFilters(silentLog);
  const [plain, admin] = [
    filters(defaultSeccompProfile([])),
    filters(defaultSeccompProfile(['CAP_SYS_ADMIN'])),
  ];
  assert(plain !== undefined && admin !== undefined);
  assert.notEqual(plain, admin);
  assert.equal(filters(defaultSeccompProfile([])), plain);
});

it('leaves a profile it does not wholly understand to the runtime', () => {
  const traced: SeccompProfile = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_TRACE' }],
  };
  assert.equal(createSeccompFilters(silentLog)(traced), undefined);
});
