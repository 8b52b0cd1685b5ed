// Image references as Docker and containers/image read them: "nginx" is docker.io/library/nginx:latest.
import { PodwrightError } from '../base/errors.ts';

export type ImageReference = {
  /** "docker.io", "localhost:5000". */
  readonly registry: string;
  /** "library/nginx". */
  readonly repository: string;
  readonly tag?: string | undefined;
  /** "sha256:..." */
  readonly digest?: string | undefined;
};

const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const HOST =
  '(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?';
const PATTERN = new RegExp(
  `^(?:(${HOST})/)?(${COMPONENT}(?:/${COMPONENT})*)(?::([\\w][\\w.-]{0,127}))?(?:@([a-z0-9]+:[0-9a-f]{32,}))?$`,
);

/** Throws InvalidImageName; a reference without tag and digest gets the tag "latest". */
export function parseImageReference(text: string): ImageReference {
  const slash = text.indexOf('/');
  const first = slash < 0 ? '' : text.slice(0, slash);
  const hasRegistry = first.includes('.') || first.includes(':') || first === 'localhost';
  const match = PATTERN.exec(hasRegistry ? text : `docker.io/${slash < 0 ? 'library/' : ''}${text}`);
  const [, registry, repository, tag, digest] = match ?? [];
  if (registry === undefined || repository === undefined) {
    throw new PodwrightError(
      'InvalidImageName',
      `couldn't parse image name ${JSON.stringify(text)}: invalid reference format`,
    );
  }
  return { registry, repository, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

/** "docker.io/library/nginx:latest" or "...@sha256:...": the one spelling under which an image is stored. */
export function normalImageName(reference: ImageReference): string {
  const name = `${reference.registry}/${reference.repository}`;
  return reference.digest === undefined
    ? `${name}:${reference.tag ?? 'latest'}`
    : `${name}@${reference.digest}`;
}
