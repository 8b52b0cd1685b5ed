// Real kubectl against a real engine with real containers: what people type, and what they read. One table, top to
// bottom: a row may stand on those before it.
//
// Elsewhere: streams in depth (test/engine/streams), top and the node proxy (test/engine/figures), auth can-i
// (test/apiserver), server-side apply in depth (test/apiserver/server-side-apply).
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually, KUBECTL, type Output, TestEngine } from '../lib/engine.ts';
import { BUSYBOX } from '../lib/manifests.ts';

const engine = new TestEngine();
const file = (name: string): string => join(engine.dir, name);

const WEB = `apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web, tier: front}, annotations: {note: first}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: ${BUSYBOX}
    command: [sh, -c, 'echo started; mkdir /www; echo a-page > /www/index.html; exec httpd -f -p 8080 -h /www']
    ports: [{containerPort: 8080, name: http}]
  - {name: side, image: ${BUSYBOX}, command: [sh, -c, 'echo beside; exec sleep 3600']}
`;
const CONFIG = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: web}}
data: {colour: blue}
`;
const JOB = `apiVersion: v1
kind: Pod
metadata: {name: once, labels: {app: batch}}
spec:
  restartPolicy: Never
  containers: [{name: main, image: ${BUSYBOX}, command: [sh, -c, 'echo done; exit 0']}]
`;

type Row = {
  /** The command line without "kubectl"; {dir} is the engine's directory. Words are split at blanks, save within ''. */
  readonly run: string;
  /** Found in standard output. */
  readonly says?: RegExp;
  /** Found in standard error; without it a failure fails the test. */
  readonly fails?: RegExp;
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
};

function words(line: string): string[] {
  return [...line.replaceAll('{dir}', engine.dir).matchAll(/'([^']*)'|(\S+)/g)].map(
    ([, quoted, plain]) => quoted ?? plain ?? '',
  );
}

function kubectl({ run, stdin = '', env = {} }: Row): Promise<Output> {
  return new Promise((resolve) => {
    const options = {
      env: { ...process.env, KUBECONFIG: engine.kubeconfig, HOME: engine.dir, ...env },
      timeout: 100_000,
    };
    const child = execFile(KUBECTL, words(run), options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 255;
      resolve({ code, stdout, stderr });
    });
    child.stdin?.end(stdin);
  });
}

const TABLE: Readonly<Record<string, readonly Row[]>> = {
  create: [
    { run: 'create -f {dir}/web.yaml', says: /^pod\/web created$/m },
    { run: 'create -f {dir}/web.yaml', fails: /pods "web" already exists/ },
    { run: 'create -f - --dry-run=server -o name', stdin: JOB, says: /^pod\/once$/m },
    { run: 'create -f -', stdin: JOB, says: /pod\/once created/ },
    { run: 'create configmap made --from-literal=a=1 --from-file={dir}/web.yaml', says: /created/ },
    { run: 'create secret generic hidden --from-literal=password=secret', says: /created/ },
    { run: 'create namespace team', says: /namespace\/team created/ },
    { run: 'create serviceaccount robot -n team', says: /created/ },
    { run: 'create quota few --hard=pods=9 -n team', says: /created/ },
    { run: 'wait --for=condition=Ready pod/web --timeout=60s', says: /condition met/ },
    { run: `wait --for=jsonpath={.status.phase}=Succeeded pod/once --timeout=60s`, says: /condition met/ },
  ],
  get: [
    {
      run: 'get pods',
      says: /^NAME +READY +STATUS +RESTARTS +AGE\nonce +0\/1 +Completed.*\nweb +2\/2 +Running +0/,
    },
    {
      run: 'get pod web -o wide',
      says: /web +2\/2 +Running +0 +\d+s +10\.[\d.]+ +test-node +<none> +<none>/,
    },
    { run: 'get pods -A --show-labels', says: /default +web .* app=web,tier=front/ },
    { run: 'get pod web -o json', says: /"podIP": "10\./ },
    { run: 'get pod web -o yaml', says: /^ {2}phase: Running$/m },
    { run: `get pods -o jsonpath={.items[*].metadata.name}`, says: /^once web$/ },
    { run: `get pods -o custom-columns=N:.metadata.name,I:.spec.containers[*].name`, says: /web +main,side/ },
    { run: `get pods --sort-by=.spec.restartPolicy -o name`, says: /^pod\/web\npod\/once$/m },
    {
      run: 'get pods -l app in (web,other) -o name'.replace('app in (web,other)', "'app in (web,other)'"),
      says: /^pod\/web$/m,
    },
    { run: 'get pods --field-selector=status.phase=Succeeded -o name', says: /^pod\/once\n$/ },
    { run: 'get po/web cm/made -o name', says: /^pod\/web\nconfigmap\/made$/m },
    { run: 'get all', says: /pod\/web/ },
    { run: 'get pod nobody', fails: /Error from server \(NotFound\): pods "nobody" not found/ },
    { run: 'get nodes -o wide', says: /test-node +Ready .* (crun|runc):\/\// },
    { run: 'get ns', says: /default +Active/ },
    { run: `get pods --chunk-size=1 -o name`, says: /once\npod\/web/ },
    { run: 'get --raw /version', says: /v1\.36\.2\+podwright/ },
    { run: 'get widgets', fails: /doesn't have a resource type "widgets"/ },
    { run: 'get pods -l ==', fails: /unable to parse requirement|unable to find|parse/ },
  ],
  read: [
    {
      run: 'describe pod web',
      says: /Status: +Running[\s\S]*Containers:\n {2}main:[\s\S]*Events:[\s\S]*Started/,
    },
    { run: 'describe node test-node', says: /Non-terminated Pods:[\s\S]*default +web/ },
    { run: 'describe configmap made', says: /web\.yaml:/ },
    { run: 'explain pod.spec.containers.lifecycle.preStop', says: /FIELD: preStop <LifecycleHandler>/ },
    { run: 'explain pods --recursive', says: /ephemeralContainers\t<\[\]EphemeralContainer>/ },
    { run: 'api-resources --namespaced=false', says: /nodes +no +v1 +false +Node/ },
    { run: 'api-versions', says: /^metrics\.k8s\.io\/v1beta1$/m },
    { run: 'events --for pod/web', says: /Normal +Started +Pod\/web/ },
    { run: 'get events --sort-by=.lastTimestamp', says: /Pulled|Scheduled/ },
    { run: 'cluster-info', says: /is running at/ },
    { run: 'config view', says: /certificate-authority-data: DATA\+OMITTED/ },
    { run: 'config current-context', says: /podwright/ },
    { run: 'version', says: /Server Version: v1\.36/ },
  ],
  change: [
    { run: 'apply -f {dir}/config.yaml', says: /configmap\/settings created/ },
    { run: 'diff -f {dir}/config.yaml', says: /^$/ },
    { run: 'apply -f -', stdin: CONFIG.replace('blue', 'red'), says: /configured/ },
    {
      run: 'diff -f {dir}/config.yaml',
      says: /- {2}colour: red\n\+ {2}colour: blue/,
      fails: /exit status 1|^$/,
    },
    { run: 'apply view-last-applied configmap/settings', says: /colour: red/ },
    {
      run: 'apply --server-side --field-manager=other -f {dir}/config.yaml',
      fails: /conflict with "kubectl-client-side-apply"/,
    },
    { run: 'apply --server-side --force-conflicts -f {dir}/config.yaml', says: /serverside-applied/ },
    { run: `get cm settings -o jsonpath={.data.colour}`, says: /^blue$/ },
    { run: 'replace -f -', stdin: CONFIG.replace('blue', 'green'), says: /replaced/ },
    {
      run: 'edit configmap settings',
      env: { KUBE_EDITOR: 'sed -i s/green/white/' },
      says: /configmap\/settings edited/,
    },
    { run: `get cm settings -o jsonpath={.data.colour}`, says: /^white$/ },
    { run: 'edit configmap settings', env: { KUBE_EDITOR: 'true' }, says: /^$/ },
    { run: `patch cm settings -p '{"data":{"size":"1"}}'`, says: /patched/ },
    { run: `patch cm settings --type=merge -p '{"data":{"size":null}}'`, says: /patched/ },
    {
      run: `patch cm settings --type=json -p '[{"op":"add","path":"/data/shape","value":"round"}]'`,
      says: /patched/,
    },
    {
      run: `patch cm settings --type=json -p '[{"op":"test","path":"/data/shape","value":"square"}]'`,
      fails: /The request is invalid: .*testing path \/data\/shape failed/,
    },
    { run: `get cm settings -o jsonpath={.data}`, says: /^\{"colour":"white","shape":"round"\}$/ },
    { run: 'label pod web tier=back --overwrite', says: /pod\/web labeled/ },
    { run: 'label pod web tier=front', fails: /already has a value/ },
    { run: 'label pod web tier-', says: /unlabeled/ },
    { run: 'annotate pods --all seen=yes', says: /pod\/web annotated/ },
    { run: `set image pod/web side=${BUSYBOX.replace(':1', ':2')}`, says: /image updated/ },
    {
      run: `wait --for=jsonpath={.status.containerStatuses[1].restartCount}=1 pod/web --timeout=60s`,
      says: /met/,
    },
    { run: 'set env pod/web A=b', fails: /Forbidden: pod updates may not change fields/ },
    { run: 'create -f {dir}/nothing.yaml', fails: /does not exist/ },
    {
      run: 'create --validate=strict -f -',
      stdin: WEB.replace('spec:', 'spec:\n  colour: red'),
      fails: /unknown field "spec\.colour"/,
    },
  ],
  prune: [
    { run: 'apply -f {dir}/config.yaml -n team --prune -l app=web', says: /configmap\/settings created/ },
    {
      run: 'apply -f - -n team --prune -l app=web',
      stdin: CONFIG.replace('settings', 'others'),
      says: /others created\nconfigmap\/settings pruned/,
    },
    { run: 'get cm -n team -l app=web -o name', says: /^configmap\/others$/m },
  ],
  containers: [
    { run: 'logs web -c main', says: /^started$/m },
    { run: 'logs -l app=web --all-containers --prefix', says: /\[pod\/web\/main\] started/ },
    { run: 'logs once', says: /^done$/m },
    { run: 'logs web --previous -c side', says: /beside/ },
    { run: 'logs web -c side --since=1h --tail=1 --timestamps', says: /^20\d\d-.*Z beside$/m },
    { run: 'logs web -c nobody', fails: /container nobody is not valid for pod web/ },
    { run: 'exec web -c main -- cat /www/index.html', says: /^a-page$/m },
    { run: 'exec -i web -c side -- cat', stdin: 'through', says: /^through$/m },
    { run: `exec web -- sh -c 'exit 7'`, fails: /exit code 7/ },
    { run: 'exec deploy/none -- true', fails: /NotFound/ },
    { run: 'cp {dir}/config.yaml web:/tmp/config.yaml -c main', says: /^$/ },
    { run: 'exec web -c main -- grep colour /tmp/config.yaml', says: /blue/ },
    { run: 'cp web:/www {dir}/www -c main', says: /^/ },
    {
      run: `run shell --image=${BUSYBOX} --restart=Never -i --rm --quiet -- sh -c 'read x; echo got $x'`,
      stdin: 'it\n',
      says: /got it/,
    },
    {
      run: `run plain --image=${BUSYBOX} --labels=app=run --port=80 -- sleep 3600`,
      says: /pod\/plain created/,
    },
    { run: 'wait --for=condition=Ready pod/plain --timeout=60s', says: /met/ },
    {
      run: `debug web --image=${BUSYBOX} --target=main --profile=general -c probe -- sh -c 'sleep 1; ps'`,
      says: /^/,
    },
    {
      run: `wait --for=jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.exitCode}=0 pod/web --timeout=60s`,
      says: /met/,
    },
    { run: 'logs web -c probe', says: /httpd/ },
    {
      run: `debug plain --image=${BUSYBOX} --copy-to=copied --share-processes --profile=general -- true`,
      says: /^/,
    },
    { run: 'get pod copied -o name', says: /pod\/copied/ },
  ],
  workloads: [
    { run: 'create deployment site --image=x --replicas=2', says: /created/ },
    { run: 'get deploy', says: /^site +0\/2/m },
    { run: 'rollout history deployment/site', says: /deployment\.apps\/site/ },
    { run: 'expose pod web --port=80 --target-port=8080 --name=web', says: /service\/web exposed/ },
    { run: 'get svc web', says: /web +ClusterIP/ },
    { run: 'set image deployment/site x=y', says: /image updated/ },
    { run: 'create job one --image=x', says: /created/ },
    { run: 'delete deploy/site job/one svc/web', says: /deleted/ },
  ],
  node: [
    { run: 'cordon test-node', says: /test-node cordoned/ },
    { run: 'get node test-node', says: /Ready,SchedulingDisabled/ },
    { run: 'uncordon test-node', says: /uncordoned/ },
    { run: 'taint node test-node a=b:NoSchedule', says: /tainted/ },
    { run: 'taint node test-node a-', says: /untainted/ },
    {
      run: 'drain test-node --grace-period=1 --force --delete-emptydir-data --timeout=60s',
      says: /pod\/web evicted|drained/,
    },
    { run: 'uncordon test-node', says: /uncordoned/ },
  ],
  delete: [
    { run: 'create -f {dir}/web.yaml', says: /created/ },
    { run: 'delete pod web --dry-run=server', says: /deleted .*\(server dry run\)/ },
    { run: 'delete pod web --wait=true --timeout=60s', says: /pod "web" deleted/ },
    { run: 'get pod web', fails: /NotFound/ },
    { run: 'delete pod web', fails: /NotFound/ },
    { run: 'delete pod web --ignore-not-found', says: /^$/ },
    { run: 'delete cm,secret -l app=web', says: /configmap "settings" deleted/ },
    { run: 'delete namespace team --timeout=60s', says: /namespace "team" deleted/ },
    { run: 'get cm -n team -o name', says: /^$/ },
  ],
};

describe('kubectl', { timeout: 600_000 }, () => {
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox', 'busybox-2');
    writeFileSync(file('web.yaml'), WEB);
    writeFileSync(file('config.yaml'), CONFIG);
  });
  after(() => engine.close());

  test('get --watch prints what changes, until it is ended', async (t) => {
    const env = { ...process.env, KUBECONFIG: engine.kubeconfig, HOME: engine.dir };
    await engine.kube('create', 'configmap', 'there', '--from-literal=a=1');
    const watch = spawn(KUBECTL, ['get', 'configmaps', '--watch', '--output-watch-events'], { env });
    t.after(() => watch.kill());
    let seen = '';
    watch.stdout.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    await eventually('what there was', () => (/ADDED +there/.test(seen) ? true : undefined));
    await engine.kube('create', 'configmap', 'watched', '--from-literal=a=1');
    await engine.kube('delete', 'configmap', 'watched');
    await eventually('the deletion', () => (seen.includes('DELETED') ? true : undefined));
    assert.match(seen, /^ADDED +watched +1 +\d+s\nDELETED +watched +1 +\d+s$/m);
  });

  for (const [group, rows] of Object.entries(TABLE)) {
    test(group, async (t) => {
      for (const row of rows) {
        await t.test(`kubectl ${row.run}`, async () => {
          const { code, stdout, stderr } = await kubectl(row);
          if (row.fails === undefined) assert.equal(code, 0, `${stdout}${stderr}`);
          else {
            assert.notEqual(code, 0, stdout);
            assert.match(stderr, row.fails);
          }
          if (row.says !== undefined) assert.match(stdout, row.says, stderr);
        });
      }
    });
  }
});
