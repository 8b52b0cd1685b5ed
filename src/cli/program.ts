// The command line: which commands there are. A command is defined in commands/ and does its work in a file of its own,
// which is loaded when it runs, so that `ps` does not wait for what `serve` needs. What touches the machine is handed in
// by main/.
import { Command } from 'commander';
import type { MachineActions } from './commands/command.ts';
import { addContainerCommands } from './commands/containers.ts';
import { addEngineCommands } from './commands/engine.ts';
import { addImageCommands } from './commands/images.ts';
import { addListCommands, addRemovalCommands, addTraceCommand, addWhyCommand } from './commands/pods.ts';
import { addSettingUpCommands } from './commands/setting-up.ts';
import { addSimulateCommand } from './commands/simulate.ts';

/** Wrong usage exits with 2, so that scripts can tell it from a failure. */
export function createProgram(actions: MachineActions): Command {
  const program = new Command('podwright')
    .description(
      'Kubernetes Pods on one Linux machine, with the Kubernetes API in front and no cluster behind',
    )
    .version(actions.version)
    .showHelpAfterError('(podwright --help, or podwright COMMAND --help)')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
  addEngineCommands(program, actions);
  addRemovalCommands(program);
  addListCommands(program);
  addContainerCommands(program);
  addTraceCommand(program);
  addWhyCommand(program);
  addImageCommands(program, actions);
  addSimulateCommand(program);
  addSettingUpCommands(program, actions);
  return program;
}
