// Which stored image a reference means. Pure: the images in, the image out.
import { type ImageReference, normalImageName, parseImageReference } from '../../kube/image-reference.ts';
import type { StoredImage } from './store-index.ts';

const repositoryOf = (reference: ImageReference): string => `${reference.registry}/${reference.repository}`;

/** A digest name stands for itself; a tag's repository has the image under the digest it was pulled by. */
export function digestsOf(name: string, image: StoredImage): readonly string[] {
  if (name.includes('@')) return [name];
  return image.digest === undefined ? [] : [`${repositoryOf(parseImageReference(name))}@${image.digest}`];
}

const IMAGE_ID = /^(?:sha256:)?([0-9a-f]{64})$/;
const SHORT_ID = /^[0-9a-f]{12,63}$/;

/** By id, by name, by digest, or by the beginning of an id. Throws InvalidImageName. */
export function findImage(images: readonly StoredImage[], reference: string): StoredImage | undefined {
  const id = IMAGE_ID.exec(reference)?.[1];
  if (id !== undefined) return images.find((image) => image.id === id);
  const parsed = parseImageReference(reference);
  const name = normalImageName(parsed);
  const byName = images.find((image) => image.names?.includes(name));
  if (byName !== undefined) return byName;
  if (parsed.digest !== undefined) return images.find((image) => hasDigest(image, parsed));
  const beginning = SHORT_ID.test(reference) ? images.filter((image) => image.id.startsWith(reference)) : [];
  return beginning.length === 1 ? beginning[0] : undefined;
}

/** The same repository's image under that digest, whatever tag it was pulled by; manifest or index. */
function hasDigest(image: StoredImage, reference: ImageReference): boolean {
  const known = image['big-data-names']?.includes(`manifest-${reference.digest}`) === true;
  const repositories = (image.names ?? []).map((name) => repositoryOf(parseImageReference(name)));
  return known && repositories.includes(repositoryOf(reference));
}

export function sameName(stored: string, reference: string): boolean {
  return !IMAGE_ID.test(reference) && stored === normalImageName(parseImageReference(reference));
}
