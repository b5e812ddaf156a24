#!/bin/sh
# Makes counter.wasm. Needs componentize-py.
set -eu

componentize-py -d wit -w counter componentize app -o counter.wasm
