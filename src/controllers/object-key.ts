// How controllers find an object again: "<namespace>/<name>", the namespace of a cluster-wide object empty.

type Named = {
  readonly metadata?:
    | { readonly namespace?: string | undefined; readonly name?: string | undefined }
    | undefined;
};

export const keyOf = ({ metadata }: Named): string => `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`;
export const clusterKey = (name: string): string => `/${name}`;
