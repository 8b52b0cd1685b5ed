// The pods' network over CNI plug-ins, as a user's configuration directory says. The engine's own is bridge-network.ts.
//
// Invariant: a record of the attachment is on disk before the first plug-in runs and goes after the last undo, so that a
// new engine can undo what an old one did or half did, with the configuration and result the plug-ins saw then.
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BOUNDS } from '../../base/bounds.ts';
import { podUid } from '../../base/brand.ts';
import { errorText, isPodwrightError, PodwrightError } from '../../base/errors.ts';
import { writeFileAtomic } from '../../base/files.ts';
import type { Log } from '../../base/log.ts';
import { cniDir, type MachineDirs } from '../layout.ts';
import type { PodIdentity } from '../model/pod-identity.ts';
import type { PortMapping } from '../model/sandbox.ts';
import { type CniNetworkList, LOOPBACK, readNetworkDirectory } from './cni-config.ts';
import {
  addAttachment,
  addressesOf,
  type CniAttachment,
  type CniResult,
  type CniRun,
  deleteAttachment,
} from './cni-protocol.ts';
import { refuseBoundPorts, refuseHeldPorts } from './host-ports.ts';
import type { Network, NetworkRequest } from './network.ts';

export type CniNetworkOptions = {
  readonly dirs: MachineDirs;
  /** Forwarding and masquerading are the user's, too. Absent: only earlier pods are removed. */
  readonly confDir?: string | undefined;
  readonly pluginDirs: readonly string[];
  readonly log: Log;
  readonly pluginTimeoutMs?: number | undefined;
};

/** Debian's and upstream's places of the plug-ins. */
export const CNI_PLUGIN_DIRS: readonly string[] = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni'];

type AttachmentRecord = {
  readonly sandboxId: string;
  readonly pod: PodIdentity;
  readonly portMappings: readonly PortMapping[];
  /** "device:inode" of the network namespace: a path of /proc may mean another one by the time of the removal. */
  readonly netnsId: string;
  readonly list: CniNetworkList;
  /** Absent while ADD has not finished. */
  readonly result?: CniResult | undefined;
};

async function netnsIdOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

class CniNetwork implements Network {
  readonly #options: CniNetworkOptions;
  readonly #recordDir: string;
  readonly #records = new Map<string, AttachmentRecord>();

  constructor(options: CniNetworkOptions) {
    this.#options = options;
    this.#recordDir = join(cniDir(options.dirs), 'results');
  }

  async start(): Promise<void> {
    await mkdir(this.#recordDir, { recursive: true });
    for (const name of await readdir(this.#recordDir)) {
      // A file cut off by a crash is a *.tmp; nothing had been attached yet for it.
      if (!name.endsWith('.json')) await rm(join(this.#recordDir, name));
      else await this.#load(name);
    }
  }

  /** The user's own bridge is not known here, and how its pods reach the machine is the user's matter. */
  async openService(): Promise<boolean> {
    return false;
  }

  async add(
    request: NetworkRequest & { readonly netnsPath: string },
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const { pod, sandboxId, netnsPath, portMappings } = request;
    const others = [...this.#records.values()].filter((record) => record.sandboxId !== sandboxId);
    refuseHeldPorts(request, others);
    const netnsId = await netnsIdOf(netnsPath);
    if (netnsId === undefined) {
      throw new PodwrightError(
        'NetworkFailed',
        `set up the network of pod ${pod.namespace}/${pod.name}: ${netnsPath} is gone`,
      );
    }
    const list = await this.#userList();
    const record = { sandboxId, pod, portMappings, netnsId, list };
    await this.#save(record);
    try {
      await refuseBoundPorts(portMappings);
      const result = await this.#attach(record, netnsPath, signal);
      await this.#save({ ...record, result });
      return addressesOf(result);
    } catch (error) {
      await this.#removeAfter(error, request);
      throw error;
    }
  }

  async remove(request: NetworkRequest): Promise<void> {
    const record = this.#records.get(request.sandboxId);
    if (record === undefined) return;
    // Never let a plug-in delete "eth0" in a namespace that took over the path of the pod's dead one.
    const path = request.netnsPath ?? '';
    const netnsPath = path !== '' && (await netnsIdOf(path)) === record.netnsId ? path : '';
    try {
      await deleteAttachment(this.#attachment(record, netnsPath), record.result, this.#run());
    } catch (error) {
      // What refuses ADD (a missing plug-in, an unknown version) refuses DEL too; a pod must not stay for ever for that.
      if (record.result !== undefined || isPodwrightError(error, 'ProgramTimeout')) throw error;
      this.#options.log.warn('undo of a network that never was whole', {
        sandboxId: record.sandboxId,
        error: errorText(error),
      });
    }
    this.#records.delete(record.sandboxId);
    await rm(this.#recordPath(record.sandboxId), { force: true });
  }

  async retain(sandboxIds: ReadonlySet<string>): Promise<void> {
    const unowned = [...this.#records.values()].filter(({ sandboxId }) => !sandboxIds.has(sandboxId));
    for (const { sandboxId, pod, portMappings } of unowned) {
      await this.remove({ sandboxId, pod, portMappings });
      this.#options.log.info('gave back the network of a sandbox that is gone', {
        pod: `${pod.namespace}/${pod.name}`,
      });
    }
  }

  async tearDown(): Promise<void> {
    if (this.#records.size > 0) return;
    await rm(this.#recordDir, { recursive: true, force: true });
  }

  async #load(fileName: string): Promise<void> {
    const sandboxId = fileName.slice(0, -'.json'.length);
    try {
      this.#records.set(sandboxId, JSON.parse(await readFile(join(this.#recordDir, fileName), 'utf8')));
    } catch (error) {
      // Cut off by a power failure, so its namespace is gone too: the name is enough to give back the address.
      this.#options.log.warn('network record is damaged', { sandboxId, error: errorText(error) });
      if (this.#options.confDir === undefined) return rm(join(this.#recordDir, fileName), { force: true });
      const pod = { uid: podUid(''), namespace: '', name: '' };
      const list = await this.#userList();
      this.#records.set(sandboxId, { sandboxId, pod, portMappings: [], netnsId: '', list });
    }
  }

  async #userList(): Promise<CniNetworkList> {
    const { confDir } = this.#options;
    if (confDir === undefined) throw new Error('a pod was given to CNI without a configuration directory');
    return readNetworkDirectory(confDir);
  }

  async #save(record: AttachmentRecord): Promise<void> {
    this.#records.set(record.sandboxId, record);
    await writeFileAtomic(this.#recordPath(record.sandboxId), JSON.stringify(record));
  }

  /** Both interfaces side by side; waits for both even when one fails, so that the undo has nothing running beside it. */
  async #attach(record: AttachmentRecord, netnsPath: string, signal: AbortSignal): Promise<CniResult> {
    const attachment = this.#attachment(record, netnsPath);
    const run = { ...this.#run(), signal };
    // lo holds nothing outside its namespace and goes with it: it needs no record and no DEL.
    const loopback = { ...attachment, list: LOOPBACK, interfaceName: 'lo', portMappings: [] };
    const [main, lo] = await Promise.allSettled([
      addAttachment(attachment, run),
      addAttachment(loopback, run),
    ]);
    if (main.status === 'rejected') throw main.reason;
    if (lo.status === 'rejected') throw lo.reason;
    return main.value;
  }

  /** A failed undo keeps the record; the caller's own remove tries again. */
  async #removeAfter(error: unknown, request: NetworkRequest): Promise<void> {
    try {
      await this.remove(request);
    } catch (undoError) {
      this.#options.log.warn('undo of a failed network set-up failed; it is tried again with the sandbox', {
        error: errorText(error),
        undoError: errorText(undoError),
      });
    }
  }

  #attachment({ list, sandboxId, pod, portMappings }: AttachmentRecord, netnsPath: string): CniAttachment {
    return { list, containerId: sandboxId, interfaceName: 'eth0', netnsPath, pod, portMappings };
  }

  #run(): CniRun {
    const { pluginDirs, pluginTimeoutMs = BOUNDS.programTimeoutMs } = this.#options;
    return { pluginDirs, timeoutMs: pluginTimeoutMs };
  }

  #recordPath(sandboxId: string): string {
    return join(this.#recordDir, `${sandboxId}.json`);
  }
}

/** start() comes first. */
export function createCniNetwork(options: CniNetworkOptions): Network {
  return new CniNetwork(options);
}
