// Both ways of starting a program keep one contract.
import assert from 'node:assert/strict';
import { openSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { type Launch, type Launched, launchByChildProcess } from '../../src/machine/system/launch.ts';
import { launchByPosixSpawn } from '../../src/machine/system/posix-spawn.ts';
import { runProgram } from '../../src/machine/system/spawn.ts';
import { eventually } from '../lib/engine.ts';

async function textOf(stream: Launched['pipes'][number]): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream ?? []) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const sh = (script: string, more: Partial<Launch> = {}): Launch => ({
  path: '/bin/sh',
  args: ['-c', script],
  env: { PATH: '/usr/bin:/bin' },
  stdio: ['null', 'output', 'output'],
  lifetime: 'call',
  ...more,
});

const ways = { posix_spawn: launchByPosixSpawn, child_process: launchByChildProcess };
for (const [name, launch] of Object.entries(ways)) {
  test(`${name}: output, environment, directory and exit code`, async () => {
    const child = await launch(
      sh('echo $WORD; pwd; echo oops >&2; exit 7', { env: { WORD: 'hello' }, cwd: '/usr' }),
    );
    const [out, error, code] = await Promise.all([
      textOf(child.pipes[1]),
      textOf(child.pipes[2]),
      child.exited,
    ]);
    assert.deepEqual([out, error, code], ['hello\n/usr\n', 'oops\n', 7]);
  });

  test(`${name}: input, and a signal as 128 + n`, async () => {
    const child = await launch(sh('read word; kill -TERM $$', { stdio: ['input', 'null', 'null'] }));
    child.pipes[0]?.end('go\n');
    assert.equal(await child.exited, 143);
  });

  test(`${name}: the child has the descriptors asked for and no other, in a session of its own`, async () => {
    const spare = openSync('/dev/null', 'r');
    const child = await launch(
      sh('ls /proc/self/fd; cut -d" " -f6 /proc/self/stat; echo $$', {
        stdio: ['null', 'output', 'null', spare],
      }),
    );
    const lines = (await textOf(child.pipes[1])).trim().split('\n');
    // ls itself opens one more, the directory it lists.
    const expected = ['0', '1', '2', '3', '4'];
    // child_process passes on what this process itself was started with and did not mark as O_CLOEXEC.
    const inherited =
      name === 'child_process' ? lines.slice(0, -2).filter((fd) => !expected.includes(fd)) : [];
    assert.deepEqual(lines.slice(0, -2).sort(), [...expected, ...inherited].sort());
    assert.equal(lines.at(-2), lines.at(-1));
  });

  test(`${name}: signals are at their defaults`, async () => {
    const child = await launch(sh('grep -E "Sig(Blk|Ign)" /proc/self/status'));
    const masks = (await textOf(child.pipes[1])).match(/[0-9a-f]{16}/g) ?? [];
    assert.deepEqual(
      masks.map((mask) => BigInt(`0x${mask}`) & 0x7fffffffn),
      [0n, 0n],
    );
  });

  test(`${name}: a program that does not exist is an error, not a crash`, async () => {
    await assert.rejects(launch({ ...sh(''), path: '/nosuch' }), { code: 'ProgramFailed' });
  });

  test(`${name}: many at once are each told their own end, and no descriptor is left`, async () => {
    const before = readdirSync('/proc/self/fd').length;
    const children = await Promise.all(
      Array.from({ length: 40 }, (_, n) => launch(sh(`echo ${n}; exit ${n}`))),
    );
    const told = await Promise.all(
      children.map((child) => Promise.all([child.exited, textOf(child.pipes[1]).then(Number)])),
    );
    assert.deepEqual(
      told,
      Array.from({ length: 40 }, (_, n) => [n, n]),
    );
    for (const child of children) for (const pipe of child.pipes) pipe?.destroy();
    const left = () => readdirSync('/proc/self/fd').length - before;
    await eventually('the descriptors are closed', () => left() <= 1 || undefined);
  });
}

test('runProgram: standard input, output, exit code', async () => {
  const result = await runProgram('sh', ['-c', 'cat; exit 3'], { stdin: 'text' });
  assert.deepEqual(result, { exitCode: 3, stdout: 'text', stderr: '' });
});

test('runProgram: a program that is not there', async () => {
  await assert.rejects(runProgram('no-such-program', []), { code: 'ProgramMissing' });
});

test('runProgram: its bound and an abort both end the program', async () => {
  await assert.rejects(runProgram('sleep', ['60'], { timeoutMs: 50 }), { code: 'ProgramTimeout' });
  const abort = new AbortController();
  const running = runProgram('sleep', ['60'], { signal: abort.signal });
  abort.abort(new Error('enough'));
  await assert.rejects(running, /enough/);
});

test('runProgram: something left behind that holds the output does not hold up the result', async () => {
  const result = await runProgram('sh', ['-c', 'echo before; sleep 5 & exit 0']);
  assert.deepEqual([result.exitCode, result.stdout], [0, 'before\n']);
});
