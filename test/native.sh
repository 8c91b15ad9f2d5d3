#!/bin/sh
# Before the tests: makes the native form from these very sources, where there is a compiler. Without it, or when that fails, the tests of
# the native form are skipped, and test/run.ts says how many those are and what cures it.
cd "$(dirname "$0")/.." || exit 1
rm -f dist/kata-check
if command -v gcc > /dev/null; then
  npm run --silent build:native || echo 'npm test: the native form could not be built, so its tests are skipped' >&2
fi
