#!/bin/sh
# Brings the tool that build.sh needs to .tools. Does nothing where it is.
set -eu
cd "$(dirname "$0")"

if ! command -v componentize-py >/dev/null && [ ! -x .tools/bin/componentize-py ]; then
    python3 -m venv .tools
    .tools/bin/pip install --quiet componentize-py==0.25.1
fi
