#!/bin/sh
# Makes counter.wasm. Needs zig and wasm-tools.
set -eu

# -rdynamic keeps what is exported, -fno-entry does without `main`.
zig build-exe counter.zig -target wasm32-freestanding -O ReleaseSmall -fno-entry -rdynamic -femit-bin=module.wasm

wasm-tools component embed wit --world counter module.wasm -o module.wasm
wasm-tools component new module.wasm -o counter.wasm
