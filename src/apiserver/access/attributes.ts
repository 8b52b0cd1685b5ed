// What is asked, as authorization sees it: a verb on a resource, or on a path that is none.
// https://kubernetes.io/docs/reference/access-authn-authz/authorization/#review-your-request-attributes

export type ResourceAttributes = {
  readonly type: 'resource';
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string | undefined;
  /** Absent: cluster-wide, or all namespaces. */
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
};

export type Attributes =
  | ResourceAttributes
  | { readonly type: 'path'; readonly verb: string; readonly path: string };

/** "pods/log" */
export const qualifiedResource = ({ resource, subresource }: ResourceAttributes): string =>
  subresource === undefined ? resource : `${resource}/${subresource}`;
