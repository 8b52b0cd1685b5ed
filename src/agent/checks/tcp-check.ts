// Whether a port takes a connection (pkg/probe/tcp).
import { connect } from 'node:net';
import type { CheckOptions, CheckResult, TcpCheck } from './check.ts';
import { dialText } from './http-check.ts';

export function tcpCheck({ host, port }: TcpCheck, { signal }: CheckOptions): Promise<CheckResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal });
    socket.once('connect', () => {
      socket.destroy();
      resolve({ kind: 'success', output: '' });
    });
    socket.once('error', (error) => {
      const output = signal.aborted ? `dial tcp ${host}:${port}: i/o timeout` : dialText(error);
      resolve({ kind: 'failure', output });
    });
  });
}
