// Carries out a check: http, tcp and grpc from here, exec in the container. Nothing but exec starts a program.
import type { Machine } from '../../machine/machine.ts';
import type { RunCheck } from './check.ts';
import { execCheck } from './exec-check.ts';
import { grpcCheck } from './grpc-check.ts';
import { httpCheck } from './http-check.ts';
import { tcpCheck } from './tcp-check.ts';

export function checkRunner(machine: Pick<Machine, 'exec'>): RunCheck {
  return async (check, options) => {
    switch (check.kind) {
      case 'http':
        return httpCheck(check, options);
      case 'tcp':
        return tcpCheck(check, options);
      case 'grpc':
        return grpcCheck(check, options);
      case 'exec':
        return execCheck(check, { ...options, machine });
      case 'invalid':
        return { kind: 'unknown', output: check.why };
    }
  };
}
