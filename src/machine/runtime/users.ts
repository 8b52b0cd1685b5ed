// Who a container runs as: the image's User or the pod's runAsUser, looked up in the image's own /etc/passwd and
// /etc/group. The files are the image's word: a link out of the root file system counts as an absent file.
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { PodwrightError } from '../../base/errors.ts';

export type ContainerUser = {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly home: string;
};

export type UserWish = {
  /** The image config's User: "name", "uid", "name:group", "uid:gid" or empty. */
  readonly imageUser: string;
  readonly runAsUser?: number | undefined;
  readonly runAsGroup?: number | undefined;
  readonly supplementalGroups: readonly number[];
  readonly supplementalGroupsPolicy?: 'Merge' | 'Strict' | undefined;
};

export type UserDatabase = { readonly passwd: string; readonly group: string };

export function userDatabase(rootfs: string): UserDatabase {
  const read = (path: string): string => {
    try {
      const real = realpathSync(join(rootfs, path));
      return real.startsWith(`${realpathSync(rootfs)}/`) ? readFileSync(real, 'utf8') : '';
    } catch {
      return '';
    }
  };
  return { passwd: read('etc/passwd'), group: read('etc/group') };
}

const rows = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));

const isNumber = (text: string): boolean => /^\d+$/.test(text);

/** Throws ConfigFailed for a name that the image does not know. */
export function resolveUser(wish: UserWish, database: UserDatabase): ContainerUser {
  const [imageUser = '', imageGroup = ''] = wish.imageUser.split(':');
  const wanted = wish.runAsUser === undefined ? imageUser || '0' : String(wish.runAsUser);
  const users = rows(database.passwd);
  const user = users.find((row) => row[0] === wanted) ?? users.find((row) => row[2] === wanted);
  if (user === undefined && !isNumber(wanted)) {
    throw new PodwrightError(
      'ConfigFailed',
      `unable to find user ${wanted}: no matching entries in passwd file`,
    );
  }
  const uid = Number(user?.[2] ?? wanted);
  const groups = rows(database.group);
  const groupOfImage = (): number | undefined => {
    if (imageGroup === '' || wish.runAsUser !== undefined) return undefined;
    const group = groups.find((row) => row[0] === imageGroup);
    if (group === undefined && !isNumber(imageGroup)) {
      throw new PodwrightError(
        'ConfigFailed',
        `unable to find group ${imageGroup}: no matching entries in group file`,
      );
    }
    return Number(group?.[2] ?? imageGroup);
  };
  const gid = wish.runAsGroup ?? groupOfImage() ?? Number(user?.[3] ?? 0);
  const memberships = groups.filter(
    (row) =>
      wish.supplementalGroupsPolicy !== 'Strict' &&
      user?.[0] !== undefined &&
      (row[3] ?? '').split(',').includes(user[0]),
  );
  const additionalGids = new Set([...wish.supplementalGroups, ...memberships.map((row) => Number(row[2]))]);
  return { uid, gid, additionalGids: [...additionalGids], home: user?.[5] || (uid === 0 ? '/root' : '/') };
}
