// podwright image: the local image store, which works without an engine too.
import { isPodwrightError, PodwrightError } from '../base/errors.ts';
import { PODS } from '../client/resources.ts';
import { ageText } from '../kube/age.ts';
import type { ContainerStatus, Pod } from '../kube/api-types.ts';
import { normalImageName, parseImageReference } from '../kube/image-reference.ts';
import type { Image, ImageStore, RegistryAuth } from '../machine/model/image.ts';
import { type Cli, type ExitCode, interruptSignal, print } from './cli.ts';
import { table } from './table.ts';

const shortId = ({ id }: Image): string => id.replace(/^sha256:/, '').slice(0, 12);
const namesOf = (image: Image): string =>
  [...image.tags, ...(image.tags.length === 0 ? image.digests : [])].join(', ') || '<none>';

function sizeText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB'] as const;
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const amount = bytes / 1000 ** step;
  return `${amount >= 100 || step === 0 ? amount.toFixed(0) : amount.toPrecision(3)} ${units[step]}`;
}

export async function imageLoad(cli: Cli, store: ImageStore, path: string): Promise<ExitCode> {
  using interrupt = interruptSignal(cli);
  const images = await store.load(path, { signal: interrupt.signal });
  for (const image of images) print(cli, `loaded ${namesOf(image)} (${shortId(image)})`);
  return 0;
}

/** "user:password"; the password may hold colons. Throws InvalidInput. */
export function parseCredentials(text: string): RegistryAuth {
  const colon = text.indexOf(':');
  if (colon <= 0) throw new PodwrightError('InvalidInput', '--creds: want USER:PASSWORD');
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

export type PullOptions = { readonly auth?: RegistryAuth | undefined };

export async function imagePull(
  cli: Cli,
  store: ImageStore,
  reference: string,
  { auth }: PullOptions,
): Promise<ExitCode> {
  using interrupt = interruptSignal(cli);
  const image = await store.pull(reference, {
    signal: interrupt.signal,
    auths: auth === undefined ? [] : [auth],
  });
  print(cli, `pulled ${normalImageName(parseImageReference(reference))} (${shortId(image)})`);
  return 0;
}

export async function imageLs(
  cli: Cli,
  store: ImageStore,
  options: { readonly output: 'table' | 'json' },
): Promise<ExitCode> {
  const images = await store.list();
  if (options.output === 'json') {
    print(cli, JSON.stringify(images, null, 2));
    return 0;
  }
  if (images.length === 0) {
    print(cli, 'No images. Load or pull one: podwright image load FILE, podwright image pull REF');
    return 0;
  }
  const rows = images.map((image) => [
    namesOf(image),
    shortId(image),
    image.createdAtMs === undefined ? '' : `${ageText(Date.now() - image.createdAtMs)} ago`,
    sizeText(image.sizeBytes),
  ]);
  print(cli, table(['NAME', 'ID', 'CREATED', 'SIZE'], rows));
  return 0;
}

function uses(pod: Pod, image: Image): boolean {
  const statuses: readonly ContainerStatus[] = [
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.containerStatuses ?? []),
  ];
  const specs = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const references = [
    ...specs.map((one) => one.image ?? ''),
    ...(pod.spec?.volumes ?? []).flatMap((volume) => volume.image?.reference ?? []),
  ];
  const names = references.map((reference) => normalImageName(parseImageReference(reference)));
  return (
    statuses.some(({ imageID }) => imageID === image.id || image.digests.includes(imageID)) ||
    names.some((name) => image.tags.includes(name) || image.digests.includes(name))
  );
}

async function podsOf(cli: Cli): Promise<readonly Pod[]> {
  try {
    return (await (await cli.connect()).api.list(PODS)).items;
  } catch (error) {
    if (!isPodwrightError(error, 'EngineUnreachable')) throw error;
    throw new PodwrightError(
      'EngineUnreachable',
      'remove image: only an engine knows whether a container uses it (--force removes it anyhow)',
    );
  }
}

/** Throws ImageInUse with the pod's name unless forced. */
export async function imageRm(
  cli: Cli,
  store: ImageStore,
  references: readonly string[],
  options: { readonly inUse: 'refuse' | 'remove' },
): Promise<ExitCode> {
  const pods = options.inUse === 'refuse' ? await podsOf(cli) : [];
  for (const reference of references) {
    const image = await store.resolve(reference);
    const user = image && pods.find((pod) => uses(pod, image));
    if (user !== undefined) {
      const { namespace, name } = user.metadata ?? {};
      throw new PodwrightError('ImageInUse', `remove image ${reference}: pod ${namespace}/${name} uses it`);
    }
    await store.remove(reference);
    print(cli, `removed ${reference}`);
  }
  return 0;
}
