#!/bin/sh
# Makes counter.wasm. Needs npm and wasm-tools.
set -eu

npm ci --silent --prefer-offline --no-audit --no-fund
npx asc counter.ts --optimize --runtime incremental --use abort= --transform ./exports.mjs --outFile module.wasm

wasm-tools component embed wit --world counter module.wasm -o module.wasm
wasm-tools component new module.wasm -o counter.wasm
