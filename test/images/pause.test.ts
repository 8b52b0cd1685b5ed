// The pause program as PID 1 of a PID namespace of its own, and its image. Needs root and binutils of both
// architectures; the arm64 program runs under qemu-user-static where that is installed.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Architecture, hostArchitecture } from '../../scripts/build-oci.ts';
import { assemblePause, buildPause } from '../../scripts/build-pause.ts';
import { silentLog } from '../../src/base/log.ts';
import { createImageStore } from '../../src/machine/images/image-store.ts';
import { ensurePauseRootfs, PAUSE_IMAGE } from '../../src/machine/images/pause-rootfs.ts';

const ARCHITECTURES: readonly Architecture[] = ['amd64', 'arm64'];
const QEMU: Record<Architecture, string> = { amd64: 'qemu-x86_64-static', arm64: 'qemu-aarch64-static' };
/** ELF's e_machine. */
const MACHINE: Record<Architecture, number> = { amd64: 62, arm64: 183 };

const dir = mkdtempSync(join(tmpdir(), 'podwright-pause-test-'));
const signal = new AbortController().signal;
const started: ChildProcess[] = [];
after(() => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(dir, { recursive: true });
});

/** The command that runs the architecture's program here, if there is one. */
function commandFor(architecture: Architecture, program: string): string[] | undefined {
  if (architecture === hostArchitecture()) return [program];
  const emulator = `/usr/bin/${QEMU[architecture]}`;
  return existsSync(emulator) ? [emulator, program] : undefined;
}

type Running = {
  readonly unshare: ChildProcess;
  readonly pid: number;
  readonly exitCode: Promise<number | null>;
};

/** Starts the command as PID 1 of a new PID namespace; `pid` is its number out here. */
async function startAsInit(command: readonly string[]): Promise<Running> {
  const unshare = spawn('unshare', ['--pid', '--fork', '--kill-child', ...command], { stdio: 'ignore' });
  started.push(unshare);
  const exitCode = new Promise<number | null>((resolve) => unshare.once('exit', resolve));
  const pid = await eventually('unshare has a child that waits', () => {
    const [child] = childrenOf(unshare.pid ?? 0);
    return child !== undefined && isWaiting(child) ? child : undefined;
  });
  return { unshare, pid, exitCode };
}

const fieldOf = (pid: number, name: string): string =>
  new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';

/** rt_sigtimedwait(2) of this kernel: what the program sleeps in. */
const SIGTIMEDWAIT: Record<Architecture, string> = { amd64: '128', arm64: '137' };

const isWaiting = (pid: number): boolean =>
  readFileSync(`/proc/${pid}/syscall`, 'utf8').startsWith(`${SIGTIMEDWAIT[hostArchitecture()]} `);

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

async function eventually<T>(what: string, probe: () => T | undefined): Promise<T> {
  for (let attempt = 0; attempt < 6000; attempt += 1) {
    const found = probe();
    if (found !== undefined) return found;
    await sleep(10);
  }
  return assert.fail(`not within a minute: ${what}`);
}

for (const architecture of ARCHITECTURES) {
  describe(`pause for ${architecture}`, () => {
    const program = join(dir, `pause-${architecture}`);
    before(() => assemblePause(architecture, program));

    test('is a small static program without writable code', () => {
      const elf = readFileSync(program);
      assert.equal(elf.toString('latin1', 0, 4), '\x7fELF');
      assert.equal(elf.readUInt16LE(18), MACHINE[architecture]);
      assert.ok(elf.length < 1024, `${elf.length} bytes`);
      const headers = execFileSync('readelf', ['-lW', program], { encoding: 'utf8' });
      assert.doesNotMatch(headers, /INTERP|DYNAMIC|RWE/);
    });

    const command = commandFor(architecture, program);
    if (command === undefined) return;

    test('as PID 1: reaps 100 orphans, sleeps, and SIGTERM ends it', async () => {
      const init = await startAsInit(command);
      const orphans = 'i=0; while [ $i -lt 100 ]; do (sleep 3600 &); i=$((i+1)); done';
      execFileSync('nsenter', ['-t', String(init.pid), '-p', 'sh', '-c', orphans], { stdio: 'ignore' });
      const handedOver = childrenOf(init.pid);
      assert.equal(handedOver.length, 100, 'all were handed to PID 1');
      for (const orphan of handedOver) process.kill(orphan, 'SIGKILL');
      await eventually(
        'no orphan and no zombie is left',
        () => childrenOf(init.pid).length === 0 || undefined,
      );
      const switches = fieldOf(init.pid, 'voluntary_ctxt_switches');
      await sleep(300);
      assert.equal(
        fieldOf(init.pid, 'voluntary_ctxt_switches'),
        switches,
        'it does nothing while nothing happens',
      );
      process.kill(init.pid, 'SIGTERM');
      assert.equal(await init.exitCode, 0);
    });

    test('SIGINT ends it, SIGCONT after SIGSTOP does not', async () => {
      const init = await startAsInit(command);
      process.kill(init.pid, 'SIGSTOP');
      await eventually('it is stopped', () => fieldOf(init.pid, 'State').startsWith('T') || undefined);
      process.kill(init.pid, 'SIGCONT');
      await eventually('it sleeps again', () => isWaiting(init.pid) || undefined);
      process.kill(init.pid, 'SIGINT');
      assert.equal(await init.exitCode, 0);
    });
  });
}

describe('the pause image', () => {
  const archive = join(dir, 'pause.oci.tar');

  test('has at most 10 KB with both architectures, and the same bytes each time', async () => {
    assert.deepEqual([...(await buildPause(archive))].sort(), ['amd64', 'arm64']);
    const { size } = statSync(archive);
    assert.ok(size <= 10_240, `${size} bytes`);
    const first = readFileSync(archive);
    await buildPause(archive);
    assert.ok(readFileSync(archive).equals(first));
  });

  test('is loaded once, and its layer is the root of infra containers', async () => {
    const dirs = { dataDir: join(dir, 'data'), runDir: join(dir, 'run'), logDir: join(dir, 'log') };
    const images = createImageStore({ dirs, log: silentLog });
    const root = await ensurePauseRootfs(images, { archive, signal });
    assert.deepEqual(readdirSync(root).sort(), ['dev', 'pause', 'proc', 'sys']);
    assert.equal(await ensurePauseRootfs(images, { archive: '/absent', signal }), root);
    assert.deepEqual((await images.list())[0]?.tags, [PAUSE_IMAGE]);
    const program = join(dir, 'host-pause');
    await assemblePause(hostArchitecture(), program);
    assert.ok(readFileSync(join(root, 'pause')).equals(readFileSync(program)), "the host's own architecture");
  });

  test('whose archive is missing names the remedy', async () => {
    const dirs = { dataDir: join(dir, 'data-2'), runDir: join(dir, 'run'), logDir: join(dir, 'log') };
    const images = createImageStore({ dirs, log: silentLog });
    await assert.rejects(ensurePauseRootfs(images, { archive: '/absent', signal }), {
      code: 'ConfigFailed',
      message: /\/absent is missing; run `npm run setup`/,
    });
  });
});
