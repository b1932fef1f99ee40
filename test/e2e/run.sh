#!/usr/bin/env bash
# Runs the end-to-end tests: the built binary against official, unmodified client libraries.
#
#   test/e2e/run.sh                          everything
#   test/e2e/run.sh node/metrics.test.mjs    these files only
#
# PIPESOCKETD_BINARY  use this binary instead of building one
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
build="$here/.build"
mkdir -p "$build"
cd "$here"

fail() {
  echo "e2e: $*" >&2
  exit 1
}

check_lock_file() {
  if grep -nE '"resolved"|://' package-lock.json; then
    fail "package-lock.json names a host; write it with 'npm run lock'"
  fi
}

ensure_chromium() {
  if command -v chromium >/dev/null || [[ -x /usr/bin/chromium || -x "${CHROMIUM:-}" ]]; then
    return
  fi
  if [[ "$(id -u)" != 0 ]] || ! command -v apt-get >/dev/null; then
    fail "chromium is missing: install it, or set CHROMIUM to an executable"
  fi
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium
}

build_binary() {
  if [[ -n "${PIPESOCKETD_BINARY:-}" ]]; then
    [[ -x "$PIPESOCKETD_BINARY" ]] || fail "PIPESOCKETD_BINARY is not executable: $PIPESOCKETD_BINARY"
    PIPESOCKETD_BINARY="$(realpath "$PIPESOCKETD_BINARY")"
  else
    (cd "$root" && go build -buildvcs=false -o "$build/pipesocketd" ./cmd/pipesocketd)
    PIPESOCKETD_BINARY="$build/pipesocketd"
  fi
  export PIPESOCKETD_BINARY
}

# A run counts only if there were tests and each of them passed: skipped and cancelled ones are failures here. Who calls
# this may ask for reporters of its own through NODE_OPTIONS.
run_tests() {
  local report="$build/report.tap"
  local reporters=(--test-reporter=tap --test-reporter-destination="$report")
  if [[ "${NODE_OPTIONS:-}" != *--test-reporter* ]]; then
    reporters+=(--test-reporter=spec --test-reporter-destination=stdout)
  fi
  node --test "${reporters[@]}" "$@" || fail "tests failed"
  grep -qE '^# pass [1-9]' "$report" || fail "no test ran"
  for outcome in fail cancelled skipped todo; do
    grep -qE "^# $outcome 0\$" "$report" || fail "not every test passed: $(grep -E "^# $outcome " "$report")"
  done
}

check_lock_file
npm ci --ignore-scripts
ensure_chromium
build_binary
if [[ $# -eq 0 ]]; then
  set -- node/*.test.mjs
fi
run_tests "$@"
