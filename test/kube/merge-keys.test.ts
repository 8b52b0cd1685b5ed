// The table of merge keys against Kubernetes' published OpenAPI document, both ways.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MERGE_KEYS, RETAIN_KEYS } from '../../src/kube/patch/merge-keys.ts';
import { findType } from '../../src/kube/schema.ts';

const SWAGGER = join(import.meta.dirname, '../../../shared/data/kubernetes-1.36/swagger.json');

type Property = {
  readonly 'x-kubernetes-patch-merge-key'?: string;
  readonly 'x-kubernetes-patch-strategy'?: string;
};
type Swagger = {
  readonly definitions: {
    readonly [name: string]: { readonly properties?: { readonly [name: string]: Property } };
  };
};

const reason = existsSync(SWAGGER) ? false : `the published document is not at ${SWAGGER}`;
test('merge keys are those Kubernetes publishes', { skip: reason }, () => {
  const { definitions } = JSON.parse(readFileSync(SWAGGER, 'utf8')) as Swagger;
  const keys: { [field: string]: string | null } = {};
  const retained: string[] = [];
  for (const [name, { properties = {} }] of Object.entries(definitions)) {
    const type = name.slice(name.lastIndexOf('.') + 1);
    const isOurs =
      /^io\.k8s\.(api\.core\.v1|apimachinery\.pkg\.apis\.meta\.v1)\./.test(name) &&
      findType(type) !== undefined;
    if (!isOurs) continue;
    for (const [field, property] of Object.entries(properties)) {
      const strategy = property['x-kubernetes-patch-strategy']?.split(',') ?? [];
      if (strategy.includes('merge'))
        keys[`${type}.${field}`] = property['x-kubernetes-patch-merge-key'] ?? null;
      if (strategy.includes('retainKeys')) retained.push(`${type}.${field}`);
    }
  }
  assert.deepEqual(MERGE_KEYS, keys);
  assert.deepEqual([...RETAIN_KEYS], retained.sort());
});
