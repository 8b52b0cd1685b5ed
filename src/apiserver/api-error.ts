// Errors in kube-apiserver's words. Each carries the details that become the Status' details.
import { PodwrightError } from '../base/errors.ts';

type About = { readonly group: string; readonly plural: string };

export function qualifiedPlural(kind: About): string {
  return kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
}

function details(kind: About, name: string): { name: string; group: string; kind: string } {
  return { name, group: kind.group, kind: kind.plural };
}

export function notFoundError(kind: About, name: string): PodwrightError {
  const text = `${qualifiedPlural(kind)} ${JSON.stringify(name)} not found`;
  return new PodwrightError('NotFound', text, { details: details(kind, name) });
}

export function alreadyExistsError(kind: About, name: string): PodwrightError {
  const text = `${qualifiedPlural(kind)} ${JSON.stringify(name)} already exists`;
  return new PodwrightError('AlreadyExists', text, { details: details(kind, name) });
}

export function conflictError(kind: About, name: string, why: string): PodwrightError {
  const text = `Operation cannot be fulfilled on ${qualifiedPlural(kind)} ${JSON.stringify(name)}: ${why}`;
  return new PodwrightError('Conflict', text, { details: details(kind, name) });
}

export function forbiddenError(kind: About, name: string, why: string): PodwrightError {
  const text = `${qualifiedPlural(kind)} ${JSON.stringify(name)} is forbidden: ${why}`;
  return new PodwrightError('Forbidden', text, { details: details(kind, name) });
}

export function badRequest(message: string): PodwrightError {
  return new PodwrightError('BadRequest', message);
}
