// What no server could carry out, case by case: the Status kube-apiserver gives for it, and a store that did not change.
import assert from 'node:assert/strict';
import { request } from 'node:https';
import { test } from 'node:test';
import { BOUNDS } from '../../src/base/bounds.ts';
import { readKubeconfig } from '../../src/client/kubeconfig.ts';
import { apiRig } from '../lib/api-rig.ts';

const PODS = '/api/v1/namespaces/default/pods';
const MAPS = '/api/v1/namespaces/default/configmaps';
const JSON_PATCH = 'application/json-patch+json';
const MERGE_PATCH = 'application/merge-patch+json';
const APPLY_PATCH = 'application/apply-patch+yaml';

const pod = (more: object = {}, metadata: object = { name: 'p' }): string => {
  const spec = { containers: [{ name: 'a', image: 'x' }] };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata, spec, ...more });
};
const map = (more: object): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'there' }, ...more });

type Case = {
  /** "POST /path": the body is JSON unless `type` says otherwise. */
  readonly asks: string;
  readonly type?: string;
  readonly accept?: string;
  readonly body?: string;
  readonly code: number;
  readonly reason: string;
  readonly message: RegExp;
  readonly details?: object;
};

type Status = {
  readonly kind: string;
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly status: string;
  readonly details?: object;
};

const badRequest = { code: 400, reason: 'BadRequest' } as const;
const invalid = { code: 422, reason: 'Invalid' } as const;
const notFound = { code: 404, reason: 'NotFound' } as const;
const SUBDOMAIN =
  /a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '\.'/;

const CASES: Readonly<Record<string, Case>> = {
  'JSON that does not parse': {
    ...badRequest,
    asks: `POST ${PODS}`,
    body: '{"kind": "Pod", nothing',
    message: /^the object provided is unrecognized \(must be of type Pod\): .*json parse error/,
  },
  'YAML that does not parse': {
    ...badRequest,
    asks: `POST ${PODS}`,
    type: 'application/yaml',
    body: 'kind: [',
    message: /^the object provided is unrecognized \(must be of type Pod\): .*yaml/,
  },
  'no body': {
    ...badRequest,
    asks: `POST ${PODS}`,
    body: '',
    message: /^the object provided is unrecognized \(must be of type Pod\): the body is empty$/,
  },
  'a body over the limit': {
    asks: `POST ${PODS}`,
    body: `"${'x'.repeat(BOUNDS.requestBodyBytes)}"`,
    code: 413,
    reason: 'RequestEntityTooLarge',
    message: /^Request entity too large: limit is 3145728$/,
  },
  'a content type that is none of ours': {
    asks: `POST ${PODS}`,
    type: 'application/xml',
    body: '<pod/>',
    code: 415,
    reason: 'UnsupportedMediaType',
    message:
      /^the body of the request was in an unknown format - accepted media types include: application\/json, application\/yaml/,
  },
  'a patch type that is none': {
    asks: `PATCH ${MAPS}/there`,
    type: 'application/json',
    body: '{}',
    code: 415,
    reason: 'UnsupportedMediaType',
    message: /accepted media types include: application\/json-patch\+json, application\/merge-patch\+json/,
  },
  'an answer nobody can give': {
    asks: `GET ${PODS}`,
    accept: 'text/html',
    code: 406,
    reason: 'NotAcceptable',
    message: /^only the following media types are accepted: application\/json/,
  },
  'another kind than the path’s': {
    ...badRequest,
    asks: `POST ${PODS}`,
    body: pod({ kind: 'Service' }),
    message: /^Service in version "v1" cannot be handled as a Pod/,
  },
  'a kind that is none': {
    ...badRequest,
    asks: `POST ${PODS}`,
    body: pod({ kind: 'Widget' }),
    message: /^Widget in version "v1" cannot be handled as a Pod/,
  },
  'another version than the path’s': {
    ...badRequest,
    asks: `POST ${PODS}`,
    body: pod({ apiVersion: 'v2' }),
    message: /^the API version in the data \(v2\) does not match the expected API version \(v1\)$/,
  },
  'a resource that is none': {
    ...notFound,
    asks: 'GET /api/v1/namespaces/default/widgets',
    message: /could not find the requested resource/,
  },
  'a group that is none': {
    ...notFound,
    asks: 'GET /apis/example.com/v1/widgets',
    message: /could not find the requested resource/,
  },
  'a subresource that is none': {
    ...notFound,
    asks: `GET ${PODS}/there/widgets`,
    message: /could not find the requested resource/,
  },
  'a method that is none': {
    asks: `POST ${MAPS}/there`,
    body: '{}',
    code: 405,
    reason: 'MethodNotAllowed',
    message: /^the server does not allow this method on the requested resource$/,
  },
  'a name that climbs': {
    ...notFound,
    asks: `GET ${PODS}/..%2F..%2Fconfigmaps%2Fdefault%2Fthere`,
    message: /not found|could not find/,
  },
  'a namespace that climbs': {
    ...invalid,
    asks: 'POST /api/v1/namespaces/..%2Fdefault/pods',
    body: pod(),
    message: /metadata\.namespace: Invalid value: "\.\.\/default": a lowercase RFC 1123 label/,
  },
  'a path with a broken escape': {
    ...notFound,
    asks: 'GET /api/v1/namespaces/%zz/pods',
    message: /could not find/,
  },
  'a namespace that is not there': {
    ...notFound,
    asks: 'POST /api/v1/namespaces/nowhere/pods',
    body: pod(),
    message: /^namespaces "nowhere" not found$/,
    details: { name: 'nowhere', kind: 'namespaces' },
  },
  'an object that is not there': {
    ...notFound,
    asks: `GET ${PODS}/nobody`,
    message: /^pods "nobody" not found$/,
    details: { name: 'nobody', kind: 'pods' },
  },
  'a name that is no DNS name': {
    ...invalid,
    asks: `POST ${PODS}`,
    body: pod({}, { name: 'Bad_Name' }),
    message:
      /^Pod "Bad_Name" is invalid: metadata\.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain/,
  },
  'no name': {
    ...invalid,
    asks: `POST ${PODS}`,
    body: pod({}, {}),
    message: /metadata\.name: Required value: name or generateName is required/,
    details: {
      kind: 'Pod',
      causes: [
        {
          reason: 'FieldValueRequired',
          message: 'Required value: name or generateName is required',
          field: 'metadata.name',
        },
      ],
    },
  },
  'two faults at once': {
    ...invalid,
    asks: `POST ${PODS}`,
    body: pod({ spec: { containers: [{ name: 'a' }], restartPolicy: 'Sometimes' } }),
    message:
      /^Pod "p" is invalid: \[spec\.containers\[0\]\.image: Required value.*spec\.restartPolicy: Unsupported value: "Sometimes"/,
  },
  'a label that is none': {
    ...invalid,
    asks: `POST ${PODS}`,
    body: pod({}, { name: 'p', labels: { 'not ok': 'x' } }),
    message: /metadata\.labels: Invalid value: "not ok"/,
  },
  'a name that is not the path’s': {
    ...badRequest,
    asks: `PUT ${MAPS}/other`,
    body: map({}),
    message: /^the name of the object \(there\) does not match the name on the URL \(other\)$/,
  },
  'a namespace that is not the path’s': {
    ...badRequest,
    asks: `POST ${PODS}`,
    body: pod({}, { name: 'p', namespace: 'kube-system' }),
    message: /^the namespace of the provided object does not match the namespace sent on the request$/,
  },
  'a name that is taken': {
    asks: `POST ${MAPS}`,
    body: map({}),
    code: 409,
    reason: 'AlreadyExists',
    message: /^configmaps "there" already exists$/,
    details: { name: 'there', kind: 'configmaps' },
  },
  'a version that has passed': {
    asks: `PUT ${MAPS}/there`,
    body: map({ metadata: { name: 'there', resourceVersion: '1' } }),
    code: 409,
    reason: 'Conflict',
    message:
      /^Operation cannot be fulfilled on configmaps "there": the object has been modified; please apply your changes to the latest version and try again$/,
    details: { name: 'there', kind: 'configmaps' },
  },
  'a version that is no number': {
    ...badRequest,
    asks: `GET ${PODS}?resourceVersion=abc`,
    message: /Invalid value: "abc"|invalid resource version/,
  },
  'a version of the future': {
    asks: `GET ${PODS}?resourceVersion=99999999`,
    code: 504,
    reason: 'Timeout',
    message: /^Too large resource version: 99999999, current: \d+$/,
    details: {
      retryAfterSeconds: 1,
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    },
  },
  'a label selector that does not parse': {
    ...badRequest,
    asks: `GET ${PODS}?labelSelector=a%20in%20b`,
    message: /^unable to parse requirement: /,
  },
  'a field that cannot be selected by': {
    ...badRequest,
    asks: `GET ${PODS}?fieldSelector=spec.colour%3Dred`,
    message: /^field label not supported: spec\.colour$/,
  },
  'a field selector that does not parse': {
    ...badRequest,
    asks: `GET ${PODS}?fieldSelector=colour`,
    message: /invalid field selector|invalid selector/,
  },
  'a limit that is no number': { ...badRequest, asks: `GET ${PODS}?limit=many`, message: /limit/ },
  'a continuation that is none': {
    ...badRequest,
    asks: `GET ${PODS}?limit=1&continue=nonsense`,
    message: /continue key is not valid/,
  },
  'a JSON patch that does not parse': {
    ...badRequest,
    asks: `PATCH ${MAPS}/there`,
    type: JSON_PATCH,
    body: '[{',
    message: /pars|decod/,
  },
  'a JSON patch that is none': {
    ...badRequest,
    asks: `PATCH ${MAPS}/there`,
    type: JSON_PATCH,
    body: '{"op":"add"}',
    message: /json patch|array|JSON/i,
  },
  'a JSON patch that does not apply': {
    ...invalid,
    asks: `PATCH ${MAPS}/there`,
    type: JSON_PATCH,
    body: '[{"op":"remove","path":"/data/nothing"}]',
    message: /^the server rejected our request due to an error in our request/,
  },
  'a JSON patch whose test fails': {
    ...invalid,
    asks: `PATCH ${MAPS}/there`,
    type: JSON_PATCH,
    body: '[{"op":"test","path":"/data/a","value":"2"}]',
    message: /^the server rejected our request due to an error in our request/,
  },
  'a merge patch that is no object': {
    ...badRequest,
    asks: `PATCH ${MAPS}/there`,
    type: MERGE_PATCH,
    body: '"x"',
    message: /./,
  },
  'a patch that makes another type': {
    ...badRequest,
    asks: `PATCH ${MAPS}/there`,
    type: MERGE_PATCH,
    body: '{"data":["x"]}',
    message: /cannot (be handled|unmarshal)/,
  },
  'an apply patch without a manager': {
    ...invalid,
    asks: `PATCH ${MAPS}/there`,
    type: APPLY_PATCH,
    body: map({}),
    message:
      /^PatchOptions\.meta\.k8s\.io "" is invalid: fieldManager: Required value: is required for apply patch$/,
  },
  'a dry run that is none': {
    ...invalid,
    asks: `POST ${PODS}?dryRun=Some`,
    body: pod(),
    message: /dryRun: Unsupported value: "Some": supported values: "All"/,
  },
  'a validation that is none': {
    ...invalid,
    asks: `POST ${PODS}?fieldValidation=Some`,
    body: pod(),
    message: /fieldValidation: Unsupported value: "Some": supported values: "Ignore", "Strict", "Warn"/,
  },
  'an unknown field, strictly': {
    ...badRequest,
    asks: `POST ${PODS}?fieldValidation=Strict`,
    body: pod({ colour: 'red' }),
    message:
      /^Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "colour"$/,
  },
  'a number where a text belongs': {
    ...badRequest,
    asks: `POST ${PODS}`,
    body: pod({}, { name: 5 }),
    message:
      /^Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal number into Go struct field ObjectMeta\.metadata\.name of type string$/,
  },
  'a field that never changes': {
    ...invalid,
    asks: `PATCH ${PODS}/there`,
    type: MERGE_PATCH,
    body: '{"spec":{"hostNetwork":true}}',
    message: /^Pod "there" is invalid: spec: Forbidden: pod updates may not change fields other than/,
  },
  'delete options that do not parse': {
    ...badRequest,
    asks: `DELETE ${MAPS}/there`,
    body: '{"gracePeriodSeconds":"x"}',
    message: /gracePeriodSeconds/,
  },
  'a delete of another’s uid': {
    asks: `DELETE ${MAPS}/there`,
    body: '{"kind":"DeleteOptions","apiVersion":"v1","preconditions":{"uid":"other"}}',
    code: 409,
    reason: 'Conflict',
    message: /^Operation cannot be fulfilled on configmaps "there": .*UID/,
  },
  'exec without an upgrade': {
    ...badRequest,
    asks: `POST ${PODS}/there/exec?command=true&stdout=true`,
    message: /pgrade/,
  },
};

test('bad input, case by case', { timeout: 120_000 }, async (t) => {
  const { url, kubeconfigPath, store } = await apiRig(t);
  const { ca, cert, key } = readKubeconfig(kubeconfigPath);
  const send = (
    method: string,
    path: string,
    { type = 'application/json', accept = 'application/json', body }: Partial<Case>,
  ): Promise<{ code: number; text: string }> =>
    new Promise((resolve, reject) => {
      const length = Buffer.byteLength(body ?? '');
      const headers = {
        accept,
        ...(body === undefined ? {} : { 'content-type': type, 'content-length': length }),
      };
      const call = request(url, { method, path, ca, cert, key, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ code: response.statusCode ?? 0, text });
        });
      });
      call.on('error', reject);
      call.end(body);
    });
  assert.equal((await send('POST', PODS, { body: pod({}, { name: 'there' }) })).code, 201);
  assert.equal((await send('POST', MAPS, { body: map({ data: { a: '1' } }) })).code, 201);
  for (const [name, one] of Object.entries(CASES)) {
    await t.test(name, async () => {
      const before = store.revision;
      const [method = '', path = ''] = one.asks.split(' ');
      const { code, text } = await send(method, path, one);
      assert.equal(code, one.code, text);
      const status = JSON.parse(text) as Status;
      assert.deepEqual(
        [status.kind, status.status, status.code, status.reason],
        ['Status', 'Failure', code, one.reason],
      );
      assert.match(status.message, one.message);
      if (one.details !== undefined) assert.deepEqual(status.details, one.details);
      assert.equal(store.revision, before, 'a refused request changes nothing');
    });
  }
});

test('an invalid name says which field, and how names are made', { timeout: 60_000 }, async (t) => {
  const { server } = await apiRig(t);
  const PODS_REF = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true };
  await assert.rejects(
    server.resources.create(PODS_REF, JSON.parse(pod({}, { name: 'Bad_Name' })) as object),
    (error: { details: { causes: { field: string; reason: string; message: string }[] } }) => {
      const [cause] = error.details.causes;
      assert.deepEqual([cause?.field, cause?.reason], ['metadata.name', 'FieldValueInvalid']);
      assert.match(cause?.message ?? '', SUBDOMAIN);
      return true;
    },
  );
});
