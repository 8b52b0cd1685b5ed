// A directory of programs that stand before the real ones and can be told to do harm once: the next call whose arguments
// match hangs, fails, dies, or does half of its work. Given to an engine as PODWRIGHT_PROGRAM_PATH.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const REAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export type Fault =
  /** Never does anything, never ends. */
  | 'hang'
  /** Says so and does nothing. */
  | 'fail'
  /** Is killed before it did anything. */
  | 'die'
  /** Does its work, and then says that it failed. */
  | 'lie'
  /** Does its work, and then never ends. */
  | 'linger'
  /** Does its work three seconds late. */
  | 'delay'
  /** Is killed shortly after it began. */
  | 'half';

/** Taken by renaming: two calls at the same moment cannot both have it. */
const script = (dir: string, program: string): string => `#!/bin/bash
PATH=${REAL_PATH}
fault=${dir}/${program}.fault
hang() { exec -a ${dir}/hanging sleep infinity; }
if [ -e "$fault" ] && [[ "$*" =~ $(< "$fault.match") ]] && mv "$fault" "$fault.$$" 2> /dev/null; then
  case $(< "$fault.$$") in
    hang) hang ;;
    fail) echo "${program}: refused" >&2; exit 1 ;;
    die) kill -KILL $$ ;;
    lie) ${program} "$@"; exit 1 ;;
    linger) ${program} "$@"; hang ;;
    delay) sleep 3 ;;
    half) ${program} "$@" & sleep 0.02; kill -KILL $!; wait $!; exit 1 ;;
  esac
fi
exec ${program} "$@"
`;

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

export class FaultyPrograms {
  readonly dir = mkdtempSync('/var/tmp/podwright-faulty-');
  readonly path = `${this.dir}/bin:${REAL_PATH}`;

  constructor(programs: readonly string[]) {
    mkdirSync(join(this.dir, 'bin'));
    for (const program of programs) {
      writeFileSync(join(this.dir, 'bin', program), script(this.dir, program));
      chmodSync(join(this.dir, 'bin', program), 0o755);
    }
  }

  /** The next call of the program whose arguments match the (bash) regular expression has it. */
  arm(program: string, fault: Fault, match = '.*'): void {
    writeFileSync(join(this.dir, `${program}.fault.match`), match);
    writeFileSync(join(this.dir, `${program}.fault`), fault);
  }

  wasUsed(program: string): boolean {
    return !existsSync(join(this.dir, `${program}.fault`));
  }

  /** Right now one of the programs hangs. */
  isHanging(): boolean {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .some((pid) => commandOf(pid).startsWith(join(this.dir, 'hanging')));
  }

  close(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
