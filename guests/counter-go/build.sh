#!/bin/sh
# Makes counter.wasm. Needs go, wit-bindgen, wasm-tools, and in ADAPTER the file wasi_snapshot_preview1.reactor.wasm.
set -eu

# The bindings: go.mod, main, and a package for each interface of the host.
wit-bindgen go --sync all wit

# -checklinkname=0: the bindings take memory from inside Go's runtime.
GOOS=wasip1 GOARCH=wasm go build -trimpath -buildmode=c-shared -ldflags='-s -w -checklinkname=0' -o module.wasm .

# Go speaks WASI 0.1; the adapter translates that.
wasm-tools component embed wit --world counter module.wasm -o module.wasm
wasm-tools component new module.wasm --adapt "wasi_snapshot_preview1=$ADAPTER" -o counter.wasm
