// Branded strings and numbers for what must not be mixed up. A brand costs nothing at run time.

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** metadata.uid of a pod: the name of everything the machine holds for it. */
export type PodUid = Brand<string, 'PodUid'>;
/** One instance of one container: "<pod uid>_<container>_<attempt>"; unique on the machine for ever. */
export type ContainerId = Brand<string, 'ContainerId'>;
/** A position in the store's history, counted from 1: metadata.resourceVersion as a number. */
export type Revision = Brand<number, 'Revision'>;

export const podUid = (text: string): PodUid => text as PodUid;
export const containerId = (text: string): ContainerId => text as ContainerId;
export const revision = (value: number): Revision => value as Revision;
