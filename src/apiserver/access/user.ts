// Who asks: what an authenticator found out of a request (k8s.io/apiserver user.Info). What the user may do is the
// authorizer's.

export type User = {
  readonly username: string;
  readonly uid?: string | undefined;
  readonly groups: readonly string[];
  readonly extra?: { readonly [key: string]: readonly string[] } | undefined;
};

/** May do everything, whatever the roles say. */
export const MASTERS = 'system:masters';
export const AUTHENTICATED = 'system:authenticated';
export const UNAUTHENTICATED = 'system:unauthenticated';

export const ANONYMOUS: User = { username: 'system:anonymous', groups: [UNAUTHENTICATED] };

/** The engine's own parts, in this process. */
export const ENGINE: User = { username: 'system:podwright', groups: [MASTERS, AUTHENTICATED] };

export const isMaster = ({ groups }: User): boolean => groups.includes(MASTERS);

const SERVICE_ACCOUNT = 'system:serviceaccount:';

export const serviceAccountName = (namespace: string, name: string): string =>
  `${SERVICE_ACCOUNT}${namespace}:${name}`;

/** The account a username stands for; undefined for everybody else. */
export function parseServiceAccountName(
  username: string,
): { readonly namespace: string; readonly name: string } | undefined {
  const [namespace, name, ...rest] = username.startsWith(SERVICE_ACCOUNT)
    ? username.slice(SERVICE_ACCOUNT.length).split(':')
    : [];
  return namespace && name && rest.length === 0 ? { namespace, name } : undefined;
}

/** Without system:authenticated, which every authenticator adds. */
export const serviceAccountGroups = (namespace: string): readonly string[] => [
  'system:serviceaccounts',
  `system:serviceaccounts:${namespace}`,
];
