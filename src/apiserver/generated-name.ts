// The names that Kubernetes makes up: a base and five random letters.
import { randomInt } from 'node:crypto';

/** No vowels and no look-alikes: a random name is no word. */
const LETTERS = 'bcdfghjklmnpqrstvwxz2456789';
const LENGTH = 5;

export function generatedName(base: string): string {
  const random = Array.from({ length: LENGTH }, () => LETTERS[randomInt(LETTERS.length)]);
  return base.slice(0, 63 - LENGTH) + random.join('');
}
