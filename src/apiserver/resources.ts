// The API in-process: a ResourceApi that goes the same way as HTTP, without the bytes.
import { PodwrightError } from '../base/errors.ts';
import type { KubeObject, ResourceApi, ResourceRef, WriteOptions } from '../client/resource-api.ts';
import { createToken } from './access/service-account-tokens.ts';
import { ENGINE } from './access/user.ts';
import { badRequest } from './api-error.ts';
import { APPLY_PATCH, applyObject } from './apply.ts';
import { bindPod } from './binding.ts';
import { createObject } from './create.ts';
import { deleteObject } from './delete.ts';
import { type Kind, partOf } from './kind.ts';
import { getObject, listObjects, watchObjects } from './read.ts';
import type { ServerParts, WriteRequest } from './request.ts';
import { patchObject, updateObject } from './update.ts';

function writeRequest(kind: Kind, object: KubeObject, options: WriteOptions): WriteRequest {
  const { subresource } = options;
  const part = partOf(kind, subresource);
  if (part === undefined) {
    throw badRequest(`${kind.plural} have no subresource ${subresource} that can be written`);
  }
  const { name, namespace } = object.metadata ?? {};
  return {
    kind,
    namespace: kind.namespaced ? (namespace ?? 'default') : undefined,
    name,
    part,
    dryRun: options.dryRun === true,
    // The engine's own parts are checked by the compiler; what else they carry is dropped.
    fieldValidation: options.fieldValidation ?? 'Ignore',
    fieldManager: options.fieldManager ?? 'podwright',
    user: ENGINE,
    warn: () => {},
    annotate: () => {},
  };
}

export function createResources(parts: ServerParts): ResourceApi {
  const kindOf = (ref: ResourceRef): Kind => {
    const all = parts.kinds.filter((one) => one.plural === ref.plural && one.group === ref.group);
    const kind = all.find(({ version }) => version === ref.version) ?? all[0];
    if (kind !== undefined) return kind;
    throw new PodwrightError('NotFound', `the server could not find the requested resource (${ref.plural})`);
  };
  // What a kind's own schema let into the store is of the reference's type.
  const as = <T extends KubeObject>(object: KubeObject): T => object as T;
  return {
    get: async <T extends KubeObject>(
      ref: ResourceRef<T>,
      key: { namespace?: string | undefined; name: string },
    ) => {
      const namespace = ref.namespaced ? (key.namespace ?? 'default') : undefined;
      return as<T>(getObject(parts, kindOf(ref), { ...key, namespace }));
    },
    list: async (ref, options = {}) => listObjects(parts, kindOf(ref), options) as never,
    create: async <T extends KubeObject>(ref: ResourceRef<T>, object: T, options: WriteOptions = {}) => {
      if (ref.plural === 'bindings') {
        const { namespace = 'default' } = object.metadata ?? {};
        return as<T>(await bindPod(parts, { namespace, dryRun: options.dryRun === true }, object));
      }
      if (options.subresource === 'token') {
        const { namespace = 'default', name = '' } = object.metadata ?? {};
        return as<T>(await createToken(parts, { namespace, name }, object));
      }
      return as<T>(await createObject(parts, writeRequest(kindOf(ref), object, options), object));
    },
    update: async <T extends KubeObject>(ref: ResourceRef<T>, object: T, options: WriteOptions = {}) =>
      as<T>((await updateObject(parts, writeRequest(kindOf(ref), object, options), object)).object),
    patch: async <T extends KubeObject>(
      ref: ResourceRef<T>,
      key: { namespace?: string | undefined; name: string },
      patch: Parameters<ResourceApi['patch']>[2],
      options: WriteOptions = {},
    ) => {
      const request = writeRequest(kindOf(ref), { metadata: key }, options);
      if (patch.type !== APPLY_PATCH)
        return as<T>(await patchObject(parts, request, { ...patch, type: patch.type }));
      const { object } = await applyObject(parts, request, {
        body: patch.body,
        force: options.force === true,
      });
      return as<T>(object);
    },
    delete: async <T extends KubeObject>(
      ref: ResourceRef<T>,
      key: { namespace?: string | undefined; name: string },
      options: Parameters<ResourceApi['delete']>[2] = {},
    ) => {
      const namespace = ref.namespaced ? (key.namespace ?? 'default') : undefined;
      return as<T>(
        await deleteObject(parts, { kind: kindOf(ref), namespace, name: key.name, dryRun: false, options }),
      );
    },
    watch: (ref, options) => watchObjects(parts, kindOf(ref), options) as never,
  };
}
