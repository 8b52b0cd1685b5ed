// npm run dev: an engine under directories of its own, with the test images loaded. On Ctrl-C it stops every pod, removes
// everything, and fails if the kernel still shows anything of it.
import { interrupted, loadImages, startScratchEngine } from './scratch-engine.ts';

const scratch = await startScratchEngine('dev');
await loadImages(scratch, ['busybox', 'sample', 'tomcat', 'rsyslog']);
process.stdout.write(`ready ${scratch.engine.url}\nexport KUBECONFIG=${scratch.engine.kubeconfigPath}\n`);
await interrupted;
const left = await scratch.end();
for (const trace of left) process.stderr.write(`left behind: ${trace}\n`);
process.exit(left.length === 0 ? 0 : 1);
