#!/bin/sh
# Makes counter.wasm. Needs wit-bindgen, wasm-tools, and of Debian clang-22, lld-22, libclang-rt-22-dev-wasm32, wasi-libc.
set -eu

# The bindings: counter.h, counter.c, and the world in counter_component_type.o.
wit-bindgen c --sync all wit

# A reactor is a module without `main`, whose functions are called one by one.
clang-22 --target=wasm32-wasi -mexec-model=reactor -Oz -flto -Wall -Wextra -Wno-deprecated \
    main.c counter.c counter_component_type.o -Wl,--strip-all -o module.wasm

wasm-tools component new module.wasm -o counter.wasm
