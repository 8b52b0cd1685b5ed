// The contract of ResourceApi, in-process.
import { apiRig } from '../lib/api-rig.ts';
import { resourceApiContract } from './resource-api-contract.ts';

resourceApiContract(async (t) => (await apiRig(t)).server.resources);
