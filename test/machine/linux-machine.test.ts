// The real machine: the contract, and what only a real kernel can show.

import { makeLinuxRig } from './linux-rig.ts';
import { machineContract } from './machine-contract.ts';

machineContract('the Linux machine', () => makeLinuxRig());
