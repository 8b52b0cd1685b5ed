// The program `podwright`: the command line with the real machine behind it.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createLog } from '../base/log.ts';
import { createProgram } from '../cli/program.ts';

const packageJson = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};

const program = createProgram({
  version: packageJson.version,
  serve: async (options) => (await import('./serve.ts')).serve(options),
  runLab: async (options) => (await import('./lab.ts')).runLab(options),
  startInBackground: async (options) =>
    (await import('./background-engine.ts')).startInBackground(fileURLToPath(import.meta.url), options),
  openImageStore: async (dirs) =>
    (await import('../machine/images/image-store.ts')).createImageStore({
      dirs,
      log: createLog({ level: 'warn' }),
    }),
  examineMachine: async (dirs) =>
    (await import('../machine/doctor.ts')).examineMachine({
      dirs,
      pluginDirs: (await import('../machine/network/cni.ts')).CNI_PLUGIN_DIRS,
    }),
});

await program.parseAsync();
