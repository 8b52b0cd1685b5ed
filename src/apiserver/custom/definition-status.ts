// What a CustomResourceDefinition's status says: whether its names are free, whether it is served, and, while it is being
// deleted, that its instances go first (apiextensions-apiserver's naming, establishing and finalizing controllers).
import { timeText } from '../../base/clock.ts';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionNames,
} from '../../kube/api-types.ts';
import type { Kind } from '../kind.ts';

export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

type Names = Required<Pick<CustomResourceDefinitionNames, 'plural' | 'kind'>> & CustomResourceDefinitionNames;

function everyName({ plural, singular, shortNames = [] }: Names): string[] {
  return [plural, ...(singular === undefined ? [] : [singular]), ...shortNames];
}

/** The first name that another kind of the group has; undefined when all are free. */
function takenName(
  { metadata, spec }: CustomResourceDefinition,
  others: readonly CustomResourceDefinition[],
  builtIn: readonly Kind[],
): string | undefined {
  const rivals = others
    .filter((one) => one.metadata?.uid !== metadata?.uid && one.spec.group === spec.group)
    .flatMap(({ status }) => (status?.acceptedNames === undefined ? [] : [status.acceptedNames]));
  const own = builtIn.filter(({ group }) => group === spec.group);
  const names = new Set([
    ...rivals.flatMap(everyName),
    ...own.flatMap(({ plural, singular, shortNames }) => [plural, singular, ...shortNames]),
  ]);
  const kinds = new Set([
    ...rivals.flatMap(({ kind, listKind }) => [kind, listKind ?? `${kind}List`]),
    ...own.flatMap(({ kind }) => [kind, `${kind}List`]),
  ]);
  const { kind, listKind = `${kind}List` } = spec.names;
  return (
    everyName(spec.names).find((name) => names.has(name)) ?? [kind, listKind].find((name) => kinds.has(name))
  );
}

type Conditions = readonly CustomResourceDefinitionCondition[];
type Condition = Omit<CustomResourceDefinitionCondition, 'lastTransitionTime'>;

function withCondition(conditions: Conditions, wanted: Condition, nowMs: number): Conditions {
  const old = conditions.find(({ type }) => type === wanted.type);
  const lastTransitionTime = old?.status === wanted.status ? old.lastTransitionTime : timeText(nowMs);
  return [...conditions.filter((one) => one !== old), { ...wanted, lastTransitionTime }];
}

/** The definition with the status it should have. */
export function withStatus(
  definition: CustomResourceDefinition,
  known: { readonly definitions: readonly CustomResourceDefinition[]; readonly builtIn: readonly Kind[] },
  nowMs: number,
): CustomResourceDefinition {
  const { spec, status = {}, metadata } = definition;
  const taken = takenName(definition, known.definitions, known.builtIn);
  const wasEstablished =
    status.conditions?.some(({ type, status: is }) => type === 'Established' && is === 'True') === true;
  const isEstablished = wasEstablished || taken === undefined;
  const accepted: Condition =
    taken === undefined
      ? { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' }
      : {
          type: 'NamesAccepted',
          status: 'False',
          reason: 'NameConflict',
          message: `${JSON.stringify(taken)} is already in use`,
        };
  const established: Condition = isEstablished
    ? {
        type: 'Established',
        status: 'True',
        reason: 'InitialNamesAccepted',
        message: 'the initial names have been accepted',
      }
    : { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' };
  let conditions = withCondition(status.conditions ?? [], accepted, nowMs);
  conditions = withCondition(conditions, established, nowMs);
  if (metadata?.deletionTimestamp !== undefined) {
    const message = 'CustomResource deletion is in progress';
    const ending = { type: 'Terminating', status: 'True', reason: 'InstanceDeletionInProgress', message };
    conditions = withCondition(conditions, ending, nowMs);
  }
  const storage = spec.versions.find((one) => one.storage)?.name;
  const { storedVersions = [] } = status;
  const names = {
    listKind: `${spec.names.kind}List`,
    singular: spec.names.kind.toLowerCase(),
    ...spec.names,
  };
  return {
    ...definition,
    status: {
      ...status,
      ...(taken === undefined ? { acceptedNames: names } : {}),
      conditions,
      storedVersions:
        storage === undefined || storedVersions.includes(storage)
          ? storedVersions
          : [...storedVersions, storage],
    },
  };
}
