// Which sysctls a pod may set, and what a node may allow.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forbiddenSysctl, parseSysctls } from '../../src/kube/sysctls.ts';

test('safe ones always, others as the node allows, none of a namespace that is not the pod’s own', () => {
  const forbidden = (name: string, allowed: readonly string[] = [], more: object = {}): string | undefined =>
    forbiddenSysctl(
      { containers: [], securityContext: { sysctls: [{ name, value: '1' }] }, ...more },
      allowed,
    );
  for (const [name, allowed, more, words] of [
    ['net.ipv4.tcp_syncookies', [], {}, undefined],
    ['net/ipv4/tcp_syncookies', [], {}, undefined],
    ['kernel.msgmax', [], {}, 'forbidden sysctl: "kernel.msgmax" not allowlisted'],
    ['kernel.msgmax', ['kernel.msg*'], {}, undefined],
    ['kernel.msgmax', ['kernel.msgmax'], {}, undefined],
    ['kernel.msgmaxx', ['kernel.msgmax'], {}, 'forbidden sysctl: "kernel.msgmaxx" not allowlisted'],
    ['vm.swappiness', ['kernel.msg*'], {}, 'forbidden sysctl: "vm.swappiness" not allowlisted'],
    [
      'net.ipv4.tcp_syncookies',
      [],
      { hostNetwork: true },
      'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host net enabled',
    ],
    [
      'kernel.shm_rmid_forced',
      [],
      { hostIPC: true },
      'forbidden sysctl: "kernel.shm_rmid_forced" not allowed with host ipc enabled',
    ],
  ] as const)
    assert.equal(forbidden(name, allowed, more), words);
});

test('a node can only allow what is a pod’s own', () => {
  assert.deepEqual(parseSysctls('kernel.msg*, net.core.somaxconn'), ['kernel.msg*', 'net.core.somaxconn']);
  assert.deepEqual(parseSysctls(''), []);
  for (const text of ['vm.swappiness', 'kernel.*', '*', 'net.a*b'])
    assert.equal(parseSysctls(text), undefined);
});
