// One user in another's name, by the headers Impersonate-User, -Group, -Uid and -Extra-*, as far as the user may.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
import { badRequest } from '../api-error.ts';
import type { Attributes } from './attributes.ts';
import { requireAllowed } from './authorizer.ts';
import type { Roles } from './rbac.ts';
import {
  ANONYMOUS,
  AUTHENTICATED,
  parseServiceAccountName,
  serviceAccountGroups,
  type User,
} from './user.ts';

export type Headers = { readonly [name: string]: readonly string[] | undefined };

const EXTRA = 'impersonate-extra-';
const AUTHENTICATION = 'authentication.k8s.io';

function decodeKey(name: string): string {
  try {
    return decodeURIComponent(name.slice(EXTRA.length));
  } catch {
    throw badRequest(`the header ${name} does not decode`);
  }
}

type Wish = {
  readonly username: string;
  readonly groups: readonly string[];
  readonly uid: string | undefined;
  readonly extra: { readonly [key: string]: readonly string[] };
};

function wishOf(headers: Headers): Wish | undefined {
  const extra = Object.fromEntries(
    Object.entries(headers).flatMap(([name, values = []]) =>
      name.startsWith(EXTRA) ? [[decodeKey(name), values] as const] : [],
    ),
  );
  const username = headers['impersonate-user']?.[0] ?? '';
  const groups = headers['impersonate-group'] ?? [];
  const uid = headers['impersonate-uid']?.[0];
  if (username !== '') return { username, groups, uid, extra };
  if (groups.length === 0 && uid === undefined && Object.keys(extra).length === 0) return undefined;
  throw badRequest(
    'requested to impersonate a group, a UID or extra information without impersonating a user',
  );
}

const about = (
  resource: string,
  name: string,
  more: { group?: string; namespace?: string } = {},
): Attributes => ({
  type: 'resource',
  verb: 'impersonate',
  group: '',
  resource,
  name,
  ...more,
});

/** One permission for each thing that is taken from the other. */
function permissionsFor({ username, groups, uid, extra }: Wish): Attributes[] {
  const account = parseServiceAccountName(username);
  return [
    account === undefined
      ? about('users', username)
      : about('serviceaccounts', account.name, { namespace: account.namespace }),
    ...groups.map((group) => about('groups', group)),
    ...(uid === undefined ? [] : [about('uids', uid, { group: AUTHENTICATION })]),
    ...Object.entries(extra).flatMap(([key, values]) =>
      values.map((value) => ({
        ...about('userextras', value, { group: AUTHENTICATION }),
        subresource: key,
      })),
    ),
  ];
}

function groupsOf({ username, groups }: Wish): readonly string[] {
  if (username === ANONYMOUS.username) return [...new Set([...groups, ...ANONYMOUS.groups])];
  const account = parseServiceAccountName(username);
  const own = groups.length > 0 || account === undefined ? groups : serviceAccountGroups(account.namespace);
  return [...new Set([...own, AUTHENTICATED])];
}

/** The user as whom the request goes on. @throws Forbidden, BadRequest */
export function impersonated(user: User, headers: Headers, roles: Roles): User {
  const wish = wishOf(headers);
  if (wish === undefined) return user;
  for (const asked of permissionsFor(wish)) requireAllowed(roles, user, asked);
  const { username, uid, extra } = wish;
  return { username, uid, groups: groupsOf(wish), extra };
}
