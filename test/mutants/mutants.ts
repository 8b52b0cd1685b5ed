// Deliberate breakages, each a small edit of the source that takes a promise away, and the test that must fail for it.
// `npm run mutants` makes each in a copy of the tree and runs its test; test/mutants/mutants.test.ts sees to it that every
// edit still fits the source.

export type Mutant = {
  /** What the broken build does. */
  readonly name: string;
  readonly file: string;
  /** Is in the file once. */
  readonly find: string;
  readonly replace: string;
  readonly test: { readonly file: string; readonly title: string };
};

const store = (title: string): Mutant['test'] => ({ file: 'test/store/store.test.ts', title });
const damage = (title: string): Mutant['test'] => ({ file: 'test/store/damage.test.ts', title });
const agent = (title: string): Mutant['test'] => ({ file: 'test/agent/agent.test.ts', title });
const network = (title: string): Mutant['test'] => ({ file: 'test/machine/network-contract.ts', title });
const machine = (title: string): Mutant['test'] => ({ file: 'test/machine/linux-machine.test.ts', title });
const security = (title: string): Mutant['test'] => ({ file: 'test/engine/security.test.ts', title });

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'a write is answered before it is committed',
    file: 'src/store/store.ts',
    find: 'await this.#persist(newest',
    replace: 'void this.#persist(newest',
    test: { file: 'test/store/sync.test.ts', title: 'each write is answered after its fdatasync' },
  },
  {
    name: 'a commit does not wait for the disk',
    file: 'src/store/store.ts',
    find: 'overlappingSync: false',
    replace: 'overlappingSync: false, noSync: true',
    test: { file: 'test/store/sync.test.ts', title: 'each write is answered after its fdatasync' },
  },
  {
    name: 'the room on the disk is not looked at',
    file: 'src/store/store.ts',
    find: 'if (roomBytes >= wanted) return;',
    replace: 'if (wanted > 0) return;',
    test: store(
      'on a full disk what is new is refused, then what changes; reading and what was acknowledged stay',
    ),
  },
  {
    name: 'checksums are written and not compared',
    file: 'src/store/sealed.ts',
    find: 'bytes.readUInt32LE(0) !== sum',
    replace: 'sum < 0',
    test: damage('a flipped bit in a value: refused with its key and the remedy'),
  },
  {
    name: 'nobody counts the objects',
    file: 'src/store/store.ts',
    find: 'state.total !== this.#total',
    replace: 'state.total < 0',
    test: damage('an object that is no longer there: refused'),
  },
  {
    name: 'a slow watcher is waited for without end',
    file: 'src/store/watcher.ts',
    find: 'this.#queue.length >= BOUNDS.watchBacklog',
    replace: 'this.#queue.length < 0',
    test: store('a watcher that does not read is cut off and holds nobody up'),
  },
  {
    name: 'a watch resumes over a gap in the history',
    file: 'src/store/history.ts',
    find: 'this.#start = dropped.at(-1)?.revision ?? this.#start;',
    replace: '',
    test: store('a revision that history has forgotten is Expired; so is one of the future'),
  },
  {
    name: 'an update takes no notice of the resourceVersion it names',
    file: 'src/apiserver/update.ts',
    find: 'resourceVersion !== current.metadata?.resourceVersion',
    replace: 'resourceVersion === ""',
    test: {
      file: 'test/client/resource-api-contract.ts',
      title: 'update is a compare-and-swap when it names a resourceVersion',
    },
  },
  {
    name: 'a wake-up is dropped: what waits is never looked at again',
    file: 'src/agent/pod-worker.ts',
    find: '.clock.at(atMs, () => this.wake())',
    replace: '.clock.at(atMs, () => {})',
    test: agent('a crashing container is restarted at once, then after 10 s, 20 s'),
  },
  {
    name: 'a wake-up is dropped: the end of an action',
    file: 'src/agent/pod-worker.ts',
    find: 'this.#inFlight.delete(actionKey(action));\n    this.wake();',
    replace: 'this.#inFlight.delete(actionKey(action));',
    test: agent('a pod comes up, is Ready, and its story is told in events'),
  },
  {
    name: 'what fails again waits no longer than at first',
    file: 'src/agent/hold-back.ts',
    find: 'step.atMs + repeatDelayMs(action, step.times)',
    replace: 'step.atMs + repeatDelayMs(action, 1)',
    test: agent('a sandbox that cannot be made is told, tried again with back-off, and harms no other pod'),
  },
  {
    name: 'the back-off never grows',
    file: 'src/agent/backoff.ts',
    find: 'minMs * 2 ** (times - 1)',
    replace: 'minMs',
    test: agent('a crashing container is restarted at once, then after 10 s, 20 s'),
  },
  {
    name: 'what a deleted pod runs is killed without its grace',
    file: 'src/agent/plan-stop.ts',
    find: 'deadlineMs === AT_ONCE || nowMs',
    replace: 'deadlineMs >= AT_ONCE || nowMs',
    test: agent('deletion: SIGTERM, then the object goes when nothing is left'),
  },
  {
    name: 'containers are ended when the next engine takes them over',
    file: 'src/machine/containers.ts',
    find: 'this.#watchMonitor(id, this.#recordOf(id));\n    // A watch on what is gone',
    replace:
      'this.#watchMonitor(id, this.#recordOf(id));\n    await this.#killContainer(record);\n    // A watch on what is gone',
    test: {
      file: 'test/engine/crash.test.ts',
      title: 'while all run: same PIDs, same addresses, restart counts unchanged, logs without a gap',
    },
  },
  {
    name: 'a path of a volume may lead out by a link',
    file: 'src/machine/system/open-beneath.ts',
    find: 'resolve: RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS',
    replace: 'resolve: 0',
    test: { file: 'test/machine/volumes-sub-path.test.ts', title: 'no symlink and no ".." leads out' },
  },
  {
    name: 'an address is leased for ever',
    file: 'src/machine/network/bridge-network.ts',
    find: 'await rm(this.#leasePath(sandboxId), { force: true });',
    replace: '',
    test: network('leaves no interface, lease or record behind, however often it is removed'),
  },
  {
    name: 'the network is not given back with its sandbox',
    file: 'src/machine/sandbox-steps.ts',
    find: 'await network.remove({ pod: config.pod',
    replace: 'void ({ pod: config.pod',
    test: {
      file: 'test/machine/crash.test.ts',
      title: 'an engine is killed in the middle of starting pods; nothing is lost and nothing is left',
    },
  },
  {
    name: 'logs of no pod are found and left',
    file: 'src/machine/sweep.ts',
    find: 'remove: () => rm(join(podLogsDir(dirs), name), { recursive: true, force: true })',
    replace: 'remove: async () => {}',
    test: {
      file: 'test/machine/sweep.test.ts',
      title: 'leftovers of no pod are swept at the start, foreign things stay',
    },
  },
  {
    name: 'a program that hangs is waited for',
    file: 'src/machine/system/spawn.ts',
    find: "setTimeout(end('timeout'), timeoutMs)",
    replace: 'setTimeout(() => {}, timeoutMs)',
    test: {
      file: 'test/machine/spawn.test.ts',
      title: 'runProgram: its bound and an abort both end the program',
    },
  },
  {
    name: 'a CNI plug-in may say anything',
    file: 'src/machine/network/cni-protocol.ts',
    find: "isIP(address.split('/')[0] ?? '') === 0",
    replace: "address === ''",
    test: {
      file: 'test/fuzz/programs.test.ts',
      title: 'results and configurations of CNI: every address that is taken is one',
    },
  },
  {
    name: 'copies of copies in a patch are made',
    file: 'src/kube/patch/json-patch.ts',
    find: 'copiedBytes > BOUNDS.requestBodyBytes',
    replace: 'copiedBytes < 0',
    test: { file: 'test/fuzz/patches.test.ts', title: 'JSON patches' },
  },
  {
    name: 'an image archive may hold links to the host',
    file: 'src/machine/images/archive.ts',
    find: 'if (found?.[kind]() === true) return;',
    replace: 'if (found !== undefined) return;',
    test: {
      file: 'test/fuzz/images.test.ts',
      title: 'an archive with an index that is a link to a file of the host is refused',
    },
  },
  {
    name: 'any token is the administrator’s',
    file: 'src/apiserver/http/authentication.ts',
    find: 'if (timingSafeEqual(digest(token), digest(adminToken))) return ADMINISTRATOR;',
    replace: 'if (timingSafeEqual(digest(adminToken), digest(adminToken))) return ADMINISTRATOR;',
    test: security(
      'who shows no certificate and no right token is refused, on every path and for every stream',
    ),
  },
  {
    name: 'old TLS is spoken',
    file: 'src/apiserver/http/listen.ts',
    find: "minVersion: 'TLSv1.2',",
    replace: "minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0',",
    test: security('TLS below 1.2 is refused'),
  },
  {
    name: 'containers run without a seccomp filter',
    file: 'src/agent/security-config.ts',
    find: "return { kind: 'RuntimeDefault' };",
    replace: "return { kind: 'Unconfined' };",
    test: security('a container has the default capabilities, seccomp, and no descriptor of the engine'),
  },
  {
    name: 'the kubeconfig is for everybody',
    file: 'src/apiserver/http/listen.ts',
    find: 'kubeconfigText(url, pki), { mode: 0o600 }',
    replace: 'kubeconfigText(url, pki), { mode: 0o644 }',
    test: security('no file of the engine is for another user of the machine'),
  },
  {
    name: 'what the kernel killed for memory is told as any error',
    file: 'src/machine/container-exit.ts',
    find: "oomKilled ? 'OOMKilled' : ",
    replace: '',
    test: machine('too much memory is OOMKilled'),
  },
];
