// docs/compatibility.md lists every field of a Pod, as the published schema has them, and says what the code does.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Pod, PodSpec } from '../../src/kube/api-types.ts';
import { podWarnings, UNSUPPORTED } from '../../src/kube/unsupported-fields.ts';
import { validatePod } from '../../src/kube/validation/pod.ts';

const ROOT = join(import.meta.dirname, '../..');

type Schema = { readonly $ref?: string; readonly items?: Schema; readonly additionalProperties?: Schema };
type Definition = { readonly properties?: Readonly<Record<string, Schema>> };
const { definitions } = JSON.parse(
  readFileSync(join(ROOT, '../shared/data/kubernetes-1.36/swagger.json'), 'utf8'),
) as { readonly definitions: Readonly<Record<string, Definition>> };

const PREFIXES = ['io.k8s.api.core.v1.', 'io.k8s.apimachinery.pkg.apis.meta.v1.'];
const shortName = (name: string): string => name.slice(name.lastIndexOf('.') + 1);
const fieldsOf = (type: string): Readonly<Record<string, Schema>> =>
  PREFIXES.map((prefix) => definitions[prefix + type]?.properties).find((one) => one !== undefined) ?? {};
/** The type of what a field holds, or of the items of its list or map. */
function typeOf({ $ref, items, additionalProperties }: Schema): string | undefined {
  const ref = $ref ?? items?.$ref ?? additionalProperties?.$ref;
  const name = ref === undefined ? undefined : shortName(ref);
  return name !== undefined && Object.keys(fieldsOf(name)).length > 0 ? name : undefined;
}

type Cell = ReadonlyMap<string, readonly string[]>;
type Row = { readonly acts: Cell; readonly warned: Cell; readonly refused: Cell; readonly nothing: Cell };

/** "`a`, `b`: X, Y" is a, and b for the values X and Y alone. */
function cellOf(text: string): Cell {
  const found = [...text.matchAll(/`(\w+)`(?:: ([A-Za-z, ]+?))?(?=, `|$)/g)];
  assert.equal(
    text.replaceAll(/`\w+`(: [A-Za-z, ]+?)?(, (?=`)|$)/g, ''),
    '',
    `a cell that does not parse: ${text}`,
  );
  return new Map(found.map(([, name = '', values]) => [name, values?.split(', ') ?? []]));
}

const page = readFileSync(join(ROOT, 'docs/compatibility.md'), 'utf8');
const section = page.slice(page.indexOf('## Pod fields')).split('\n## ')[0] ?? '';
const rows = new Map(
  [...section.matchAll(/^\| ([A-Z]\w+) \| (.*?) ?\| (.*?) ?\| (.*?) ?\| (.*?) ?\|$/gm)].map(
    ([, type = '', acts = '', warned = '', refused = '', nothing = '']): [string, Row] => [
      type,
      { acts: cellOf(acts), warned: cellOf(warned), refused: cellOf(refused), nothing: cellOf(nothing) },
    ],
  ),
);
const rowOf = (type: string): Row =>
  rows.get(type) ?? assert.fail(`docs/compatibility.md lacks the type ${type}`);

test('every field of every type that a Pod can hold is listed once, and none that there is not', () => {
  const seen = new Set<string>();
  const visit = (type: string): void => {
    if (seen.has(type)) return;
    seen.add(type);
    const { acts, warned, refused, nothing } = rowOf(type);
    const unconditional = [...refused].flatMap(([name, values]) => (values.length === 0 ? [name] : []));
    const listed = [...acts.keys(), ...warned.keys(), ...unconditional, ...nothing.keys()];
    assert.deepEqual(listed.sort(), Object.keys(fieldsOf(type)).sort(), type);
    // What is refused for some values acts for the others.
    for (const [name, values] of refused) assert.ok(values.length === 0 || acts.has(name), `${type}.${name}`);
    for (const name of acts.keys()) {
      const inner = typeOf(fieldsOf(type)[name] ?? {});
      if (inner !== undefined) visit(inner);
    }
  };
  visit('Pod');
  assert.deepEqual([...rows.keys()].sort(), [...seen].sort());
});

/** "spec.containers[].image" is Container's image. */
function placeOf(path: string): { readonly type: string; readonly name: string } {
  const steps = path.split('.').map((step) => step.replace('[]', ''));
  let type = 'Pod';
  for (const step of steps.slice(0, -1)) {
    type =
      typeOf(fieldsOf(type)[step] ?? {}) ??
      assert.fail(`${path}: ${type} has no ${step} with fields of its own`);
  }
  const name = steps.at(-1) ?? '';
  assert.ok(name in fieldsOf(type), `${path}: ${type} has no ${name}`);
  return { type, name };
}

test('what the code warns about or refuses is what the page says', () => {
  const ofCode = UNSUPPORTED.map(({ path, effect, value }) => {
    const { type, name } = placeOf(path);
    return { effect, field: `${type}.${name}`, value: value === undefined ? undefined : String(value) };
  });
  for (const { effect, field, value } of ofCode) {
    const [type = '', name = ''] = field.split('.');
    const values = rowOf(type)[effect].get(name);
    // What no ephemeral container may have is said of the whole.
    assert.ok(values !== undefined, `docs/compatibility.md does not say that ${field} is ${effect}`);
    assert.ok(value === undefined ? values.length === 0 : values.includes(value), `${field}: ${value}`);
  }
  const said = (effect: 'warned' | 'refused'): readonly string[] =>
    [...rows].flatMap(([type, row]) => [...row[effect].keys()].map((name) => `${type}.${name}`));
  const done = (effect: 'warned' | 'refused'): ReadonlySet<string> =>
    new Set(ofCode.filter((one) => one.effect === effect).map(({ field }) => field));
  assert.deepEqual(
    said('warned').filter((field) => !done('warned').has(field)),
    [],
  );
  const byValidation = said('refused').filter((field) => !done('refused').has(field));
  for (const field of byValidation) {
    const [type = '', name = ''] = field.split('.');
    assert.ok(refusal(type, name).length > 0, `${field} is not refused`);
  }
});

const APP = { name: 'a', image: 'a' };

/** The errors that name the field, of a pod that has it. */
function refusal(type: string, name: string): readonly string[] {
  const value = name === 'volumeMode' ? 'Block' : { name: 'x' };
  const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1' } }, [name]: value };
  const some: Readonly<Record<string, Partial<PodSpec>>> = {
    EphemeralContainer: { ephemeralContainers: [{ ...APP, name: 'e', [name]: [value] }] } as Partial<PodSpec>,
    PersistentVolumeClaimSpec: {
      volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: { spec: claim } } }],
    } as unknown as Partial<PodSpec>,
  };
  const spec = some[type] ?? assert.fail(`${type}.${name}: say how it is refused`);
  const pod: Pod = { metadata: { name: 'p' }, spec: { containers: [APP], ...spec } };
  return validatePod(pod)
    .map(({ field }) => field)
    .filter((field) => field.includes(`.${name}`));
}

test('a warning names the field', () => {
  const pod: Pod = { spec: { containers: [APP], securityContext: { seLinuxOptions: {} } } };
  assert.deepEqual(podWarnings(pod), [
    'spec.securityContext.seLinuxOptions: Podwright accepts this field but does not act on it yet',
  ]);
});
