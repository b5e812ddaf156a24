#!/usr/bin/env python3
"""The requests that `cargo xtask dist --trained` has dohost answer, to see what of its code they need.

What the benchmarks measure, and some of what they do not: other paths must not be taken for those that nobody goes. dohost is
one that counts, and writes to LLVM_PROFILE_FILE when it stops.
"""

import argparse
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # nothing is left beside the sources

import benchmark
import load
import servers
from servers import DOHOST, JAVASCRIPT

# The request, and how many objects over how many connections.
RUST = [
    (load.INCREMENT, 1, 64),
    (load.INCREMENT, 1_000, 64),
    (load.INCREMENT, 1, 1),
    (load.READ, 1, 64),
    (load.ECHO, 1, 64),
    (load.ECHO, 1_000, 64),
    (load.Request("bench", "store", 10 << 10), 16, 16),
    (load.Request("bench", "store", 1 << 20), 16, 16),
]
IN_JAVASCRIPT = [(load.INCREMENT, 1, 64), (load.INCREMENT, 100, 64), (load.READ, 1, 64)]


START_SECONDS_MAX = 300


def main():
    parser = argparse.ArgumentParser(description="Trains dohost. See `cargo xtask dist --help`.")
    parser.add_argument("dohost", type=Path, help="a binary that counts")
    parser.add_argument("--seconds", type=int, default=4, metavar="N", help="for each kind of request [4]")
    arguments = parser.parse_args()
    return benchmark.run(lambda run_directory: train(arguments, run_directory))


def train(arguments, run_directory):
    servers.need("wrk", servers.HELP["wrk"])
    # Counting makes it slow to compile JavaScript's runtime.
    servers.START_SECONDS_MAX = START_SECONDS_MAX
    tools = servers.Tools(run_directory, arguments.dohost)
    for name, work in ((DOHOST, RUST), (JAVASCRIPT, IN_JAVASCRIPT)):
        with servers.running([tools.server(name)], run_directory / "running") as (server,):
            for request, objects, connections in work:
                print(f"{name}: {request.kind} {request.what}, {objects} objects, {connections} connections", flush=True)
                load.sample(server, request, objects, connections, arguments.seconds)
            # As operators do, so that it writes what it counted.
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
