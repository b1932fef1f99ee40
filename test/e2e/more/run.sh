#!/usr/bin/env bash
# Runs official libraries of further languages against the built binary: Java (WebSocket client, HTTP library) and Python
# (HTTP library). They are fetched by Maven and pip, so this needs a network and is no part of the normal test run.
#
# PIPESOCKETD_BINARY  use this binary instead of building one
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../../.." && pwd)"
build="$here/.build"
mkdir -p "$build"

for program in mvn python3; do
  if ! command -v "$program" >/dev/null; then
    echo "e2e-more: $program is missing" >&2
    exit 1
  fi
done

if [[ -z "${PIPESOCKETD_BINARY:-}" ]]; then
  PIPESOCKETD_BINARY="$build/pipesocketd"
  (cd "$root" && go build -buildvcs=false -o "$PIPESOCKETD_BINARY" ./cmd/pipesocketd)
fi
PIPESOCKETD_BINARY="$(realpath "$PIPESOCKETD_BINARY")"
export PIPESOCKETD_BINARY

echo "== Python"
python3 -m venv "$build/venv"
"$build/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/python/requirements.txt"
PYTHONDONTWRITEBYTECODE=1 "$build/venv/bin/python" "$here/python/e2e.py"

echo "== Java"
mvn -B -q -f "$here/java/pom.xml" compile exec:java
