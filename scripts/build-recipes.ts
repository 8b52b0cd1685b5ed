// The images of tests and examples, as recipes: what an image stands on, the layer it adds, how it starts. All stand on
// the same busybox layer, which is therefore built once and kept once.
import { chmod, cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { strToU8, zipSync } from 'fflate';
import { runProgramChecked } from '../src/machine/system/spawn.ts';
import { firstAvailable, linkUsr, unpackPackages } from './build-debs.ts';
import type { ImageSettings } from './build-oci.ts';

const IMAGES_DIR = join(import.meta.dirname, '../images');

export type Workshop = {
  /** Where packages are kept between builds. */
  readonly packageCache: string;
  readonly say: (line: string) => void;
};

/** Fills an empty directory with the layer's files. */
type Layer = (root: string, workshop: Workshop) => Promise<void>;

export type Recipe = {
  readonly image: string;
  /** The recipe whose layers lie below. */
  readonly base?: string;
  readonly layer: Layer;
  readonly settings: ImageSettings;
};

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

async function busyboxLayer(root: string, { packageCache }: Workshop): Promise<void> {
  await linkUsr(root);
  await unpackPackages(['busybox-static'], root, packageCache);
  await rm(join(root, 'usr/share'), { recursive: true, force: true });
  const { stdout } = await runProgramChecked(join(root, 'bin/busybox'), ['--list']);
  const applets = stdout
    .trim()
    .split('\n')
    .filter((applet) => applet !== 'busybox');
  for (const applet of applets) await symlink('busybox', join(root, 'bin', applet));
  for (const dir of ['dev', 'etc', 'proc', 'root', 'run', 'sys', 'tmp', 'var/tmp']) {
    await mkdir(join(root, dir), { recursive: true });
  }
  for (const dir of ['tmp', 'var/tmp']) await chmod(join(root, dir), 0o1777);
  await cp(join(IMAGES_DIR, 'busybox/etc'), join(root, 'etc'), { recursive: true });
}

async function versionLayer(root: string): Promise<void> {
  await mkdir(join(root, 'etc'));
  await writeFile(join(root, 'etc/image-version'), '2\n');
}

/** A WAR is a zip file; the date is fixed so that the same sources give the same bytes. */
async function sampleLayer(root: string): Promise<void> {
  const source = join(IMAGES_DIR, 'sample');
  const names = ['WEB-INF/web.xml', 'index.jsp'];
  const entries = await Promise.all(
    names.map(async (name) => [name, strToU8(await readFile(join(source, name), 'utf8'))] as const),
  );
  await writeFile(
    join(root, 'sample.war'),
    zipSync(Object.fromEntries(entries), { mtime: '2000-01-01T00:00:00Z' }),
  );
}

/** What packages bring, without the paths that a container of them does not need. */
function packagesLayer(packages: readonly string[], unneeded: readonly string[] = []): Layer {
  return async (root, { packageCache, say }) => {
    await linkUsr(root);
    const count = await unpackPackages(packages, root, packageCache);
    for (const path of unneeded) await rm(join(root, path), { recursive: true, force: true });
    say(`${count} packages unpacked`);
  };
}

/** A user that owns nothing: what it writes goes to directories that everybody may write to, as /tmp is. */
const USER = '1000:1000';
const TOMCAT_BASE = '/srv/tomcat';

async function tomcatLayer(root: string, { packageCache, say }: Workshop): Promise<void> {
  await linkUsr(root);
  const tomcat = await firstAvailable(['tomcat10', 'tomcat11', 'tomcat9']);
  const count = await unpackPackages([tomcat, 'default-jre-headless'], root, packageCache);
  say(`${count} packages of ${tomcat} and its Java unpacked`);
  // The names in the image's settings are the same for every release.
  await symlink(tomcat, join(root, 'usr/share/tomcat'));
  const [jvm] = (await readdir(join(root, 'usr/lib/jvm'))).filter((name) => /^java-\d+-openjdk-/.test(name));
  if (jvm === undefined) throw new Error('default-jre-headless brought no Java into usr/lib/jvm');
  await symlink(`../lib/jvm/${jvm}/bin/java`, join(root, 'usr/bin/java'));
  const base = join(root, TOMCAT_BASE);
  await mkdir(base, { recursive: true });
  await cp(join(root, 'usr/share/tomcat/etc'), join(base, 'conf'), { recursive: true });
  // Where Tomcat looks for a virtual host's contexts; it would make the directory itself.
  await mkdir(join(base, 'conf/Catalina/localhost'), { recursive: true });
  await cp(join(IMAGES_DIR, 'tomcat/conf'), join(base, 'conf'), { recursive: true });
  for (const dir of ['logs', 'temp', 'webapps', 'work']) {
    await mkdir(join(base, dir));
    await chmod(join(base, dir), 0o1777);
  }
}

/** As catalina.sh starts it, without the shell; small and quick to start rather than fast in the long run. */
function tomcatSettings(): ImageSettings {
  const home = '/usr/share/tomcat';
  const opened = [
    'java.base/java.lang',
    'java.base/java.io',
    'java.base/java.util',
    'java.base/java.util.concurrent',
  ];
  return {
    User: USER,
    WorkingDir: TOMCAT_BASE,
    Env: [PATH],
    Entrypoint: [
      'java',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Xshare:auto',
      ...opened.map((name) => `--add-opens=${name}=ALL-UNNAMED`),
      '-classpath',
      `${home}/bin/bootstrap.jar:${home}/bin/tomcat-juli.jar`,
      `-Dcatalina.home=${home}`,
      `-Dcatalina.base=${TOMCAT_BASE}`,
      `-Djava.io.tmpdir=${TOMCAT_BASE}/temp`,
      `-Djava.util.logging.config.file=${TOMCAT_BASE}/conf/logging.properties`,
      '-Djava.util.logging.manager=org.apache.juli.ClassLoaderLogManager',
      'org.apache.catalina.startup.Bootstrap',
    ],
    Cmd: ['start'],
  };
}

/** The image of both: Tomcat, and in it the WAR. */
async function webappLayer(root: string): Promise<void> {
  await mkdir(join(root, TOMCAT_BASE, 'webapps'), { recursive: true });
  await chmod(join(root, TOMCAT_BASE, 'webapps'), 0o1777);
  await sampleLayer(join(root, TOMCAT_BASE, 'webapps'));
}

/** The archive of a recipe is called by its key. */
export const RECIPES: Readonly<Record<string, Recipe>> = {
  busybox: {
    image: 'localhost/podwright/busybox:1',
    layer: busyboxLayer,
    settings: { Env: [PATH], Cmd: ['sh'] },
  },
  'busybox-2': {
    image: 'localhost/podwright/busybox:2',
    base: 'busybox',
    layer: versionLayer,
    settings: { Env: [PATH], Cmd: ['sh'], Labels: { 'org.opencontainers.image.version': '2' } },
  },
  sample: {
    image: 'localhost/podwright/sample:1',
    base: 'busybox',
    layer: sampleLayer,
    settings: { Env: [PATH], Cmd: ['cp', '/sample.war', '/app/'] },
  },
  tomcat: {
    image: 'localhost/podwright/tomcat:1',
    base: 'busybox',
    layer: tomcatLayer,
    settings: tomcatSettings(),
  },
  rsyslog: {
    image: 'localhost/podwright/rsyslog:1',
    base: 'busybox',
    layer: packagesLayer(['rsyslog-elasticsearch']),
    settings: { Env: [PATH], Cmd: ['rsyslogd', '-n'] },
  },
  webapp: {
    image: 'localhost/podwright/webapp:1',
    base: 'tomcat',
    layer: webappLayer,
    settings: tomcatSettings(),
  },
  haproxy: {
    image: 'localhost/podwright/haproxy:1',
    base: 'busybox',
    layer: packagesLayer(['haproxy']),
    settings: { User: USER, Env: [PATH], Cmd: ['haproxy', '-db', '-f', '/etc/haproxy/haproxy.cfg'] },
  },
  redis: {
    image: 'localhost/podwright/redis:1',
    base: 'busybox',
    layer: packagesLayer(['redis-server']),
    // Nothing is written to disk unless the manifest says so.
    settings: {
      User: USER,
      WorkingDir: '/tmp',
      Env: [PATH],
      Cmd: ['redis-server', '--save', '', '--protected-mode', 'no'],
    },
  },
  nginx: {
    image: 'localhost/podwright/nginx:1',
    base: 'busybox',
    layer: packagesLayer(['nginx', 'libnginx-mod-http-js']),
    settings: {
      User: USER,
      Env: [PATH],
      Cmd: ['nginx', '-e', 'stderr', '-c', '/etc/nginx/nginx.conf', '-g', 'daemon off;'],
    },
  },
  prometheus: {
    image: 'localhost/podwright/prometheus:1',
    base: 'busybox',
    // promtool is as large as the server.
    layer: packagesLayer(['prometheus'], ['usr/bin/promtool', 'usr/share/javascript']),
    settings: {
      User: USER,
      Env: [PATH],
      Cmd: ['prometheus', '--config.file=/etc/prometheus/prometheus.yml'],
    },
  },
};
