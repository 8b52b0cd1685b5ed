// The contract of ResourceApi, over HTTPS.
import { apiRig } from '../lib/api-rig.ts';
import { resourceApiContract } from './resource-api-contract.ts';

resourceApiContract(async (t) => (await apiRig(t)).http.api);
