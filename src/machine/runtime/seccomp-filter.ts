// The default seccomp profiles as ready-made BPF. A runtime makes the filter anew from the profile's JSON for each container,
// which takes it longer than all else about the container; crun takes a ready one by annotation. libseccomp, which the
// runtimes stand on too, makes it here once per profile.
//
// Invariants
// - The profile goes into config.json all the same: runc does not know the annotation, and would run unconfined.
// - The annotation is this engine's alone: no annotation of a user's ever reaches an OCI configuration (oci-spec.ts).
// - Without libseccomp, or where it refuses a profile, there is no ready filter and the runtime makes it.
import { closeSync, fstatSync, readSync } from 'node:fs';
import koffi from 'koffi';
import { errorText } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { libc, systemCallError } from '../system/libc.ts';
import type { SeccompProfile } from './seccomp-default.ts';

/** Base64 of struct sock_filter[]; https://github.com/containers/crun/blob/main/crun.1.md */
export const SECCOMP_BPF_ANNOTATION = 'run.oci.seccomp_bpf_data';

const OPERATORS: Readonly<Record<string, number>> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
};
const ALLOW = 0x7fff0000;
const ERRNO = 0x00050000;
/** A system call this machine's libseccomp has no number for: what cannot be called need not be allowed. */
const UNKNOWN_SYSCALL = -1;
/** Decide by a binary tree over the numbers and not one after the other. */
const ATTRIBUTE_OPTIMIZE = 8;
const BINARY_TREE = 2;
const EPERM = 1;

function actionOf(action: string, errno: number = EPERM): number | undefined {
  if (action === 'SCMP_ACT_ALLOW') return ALLOW;
  return action === 'SCMP_ACT_ERRNO' ? ERRNO | errno : undefined;
}

const memfdCreate = libc.func('int memfd_create(const char *name, uint flags)');
const MFD_CLOEXEC = 1;
/** struct scmp_arg_cmp. */
koffi.struct('podwright_arg_cmp', { arg: 'uint', op: 'int', datum_a: 'uint64', datum_b: 'uint64' });

function openLibrary() {
  const library = koffi.load('libseccomp.so.2');
  return {
    init: library.func('void *seccomp_init(uint32_t action)'),
    release: library.func('void seccomp_release(void *filter)'),
    setAttribute: library.func('int seccomp_attr_set(void *filter, int attribute, uint32_t value)'),
    resolve: library.func('int seccomp_syscall_resolve_name(const char *name)'),
    addRule: library.func(
      'int seccomp_rule_add_array(void *filter, uint32_t action, int syscall, uint count, const podwright_arg_cmp *args)',
    ),
    exportBpf: library.func('int seccomp_export_bpf(const void *filter, int fd)'),
  };
}
type Library = ReturnType<typeof openLibrary>;

function addRules(library: Library, filter: unknown, { syscalls }: SeccompProfile): boolean {
  return syscalls.every(({ names, action, errnoRet, args = [] }) => {
    const code = actionOf(action, errnoRet);
    const conditions = args.map(({ index, op, value, valueTwo = 0 }) => ({
      arg: index,
      op: OPERATORS[op],
      datum_a: value,
      datum_b: valueTwo,
    }));
    return names.every((name) => {
      const number: number = library.resolve(name);
      if (number === UNKNOWN_SYSCALL) return true;
      return code !== undefined && library.addRule(filter, code, number, args.length, conditions) === 0;
    });
  });
}

/** Of a file that was just written. */
function contentOf(fd: number): Buffer {
  const content = Buffer.alloc(fstatSync(fd).size);
  readSync(fd, content, 0, content.length, 0);
  return content;
}

/** undefined when libseccomp did not take the whole profile. */
function compile(library: Library, profile: SeccompProfile): string | undefined {
  const byDefault = actionOf(profile.defaultAction, profile.defaultErrnoRet);
  if (byDefault === undefined) return undefined;
  const fd: number = memfdCreate('seccomp', MFD_CLOEXEC);
  if (fd < 0) throw systemCallError('make a file in memory');
  const filter: unknown = library.init(byDefault);
  try {
    library.setAttribute(filter, ATTRIBUTE_OPTIMIZE, BINARY_TREE);
    if (!addRules(library, filter, profile) || library.exportBpf(filter, fd) !== 0) return undefined;
    return contentOf(fd).toString('base64');
  } finally {
    library.release(filter);
    closeSync(fd);
  }
}

/**
 * The filter of a profile for the annotation; undefined where the runtime has to make it. Profiles differ by granted
 * capabilities only: there are few, and each takes three milliseconds once.
 */
export function createSeccompFilters(log: Log): (profile: SeccompProfile) => string | undefined {
  let library: Library;
  try {
    library = openLibrary();
  } catch (error) {
    log.warn('without libseccomp the runtime makes its filter for each container', {
      error: errorText(error),
    });
    return () => undefined;
  }
  const known = new Map<string, string | undefined>();
  return (profile) => {
    const key = JSON.stringify(profile);
    if (!known.has(key)) known.set(key, compile(library, profile));
    return known.get(key);
  };
}
