// image load, pull, ls, rm.
import type { Command } from 'commander';
import type { ImageStore } from '../../machine/model/image.ts';
import type { Cli } from '../cli.ts';
import { addClientOptions, type ClientOptions } from '../options.ts';
import { createProcessCli, requireRoot } from '../process-cli.ts';
import { type MachineActions, outputOption, runCommand } from './command.ts';

/** Of this data directory, whether or not an engine runs. */
export function addImageCommands(program: Command, actions: MachineActions): void {
  const image = program.command('image').description('images of the local store');
  const openStore = (cli: Cli): Promise<ImageStore> => {
    requireRoot('use the image store');
    return actions.openImageStore(cli.dirs);
  };

  addClientOptions(image.command('load <file>'))
    .description('an OCI or Docker archive, or an OCI layout directory')
    .action((file: string, options: ClientOptions) =>
      runCommand(async () => {
        const { imageLoad } = await import('../image.ts');
        const cli = createProcessCli(options);
        return imageLoad(cli, await openStore(cli), file);
      }),
    );

  addClientOptions(image.command('pull <reference>'))
    .description('from a registry')
    .option('--creds <user:password>', 'for a registry that asks')
    .action((reference: string, options: ClientOptions & { creds?: string }) =>
      runCommand(async () => {
        const { imagePull, parseCredentials } = await import('../image.ts');
        const auth = options.creds === undefined ? undefined : parseCredentials(options.creds);
        const cli = createProcessCli(options);
        return imagePull(cli, await openStore(cli), reference, { auth });
      }),
    );

  addClientOptions(image.command('ls'))
    .description('list images')
    .addOption(outputOption('json'))
    .action((options: ClientOptions & { output?: 'json' }) =>
      runCommand(async () => {
        const { imageLs } = await import('../image.ts');
        const cli = createProcessCli(options);
        return imageLs(cli, await openStore(cli), { output: options.output ?? 'table' });
      }),
    );

  addClientOptions(image.command('rm <reference...>'))
    .description('remove images that no pod uses')
    .option('--force', 'without asking an engine whether one does')
    .action((references: string[], options: ClientOptions & { force?: true }) =>
      runCommand(async () => {
        const { imageRm } = await import('../image.ts');
        const cli = createProcessCli(options);
        return imageRm(cli, await openStore(cli), references, { inUse: options.force ? 'remove' : 'refuse' });
      }),
    );
}
