#!/usr/bin/env python3
"""Durable increments per second: dohost, workerd and the ceiling side by side. See README.md.

Samples alternate (A B C, B C A, C A B, …), so that a machine that is slow for a minute is slow for all of them. At
the end every server that promises durability is killed with SIGKILL and started again, and its counters must have every
increment that was acknowledged, and none that was never asked for.
"""

import argparse
import dataclasses
import datetime
import json
import os
import platform
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True  # nothing is left beside the sources

import benchmark
import load
import report
import servers

SHORT_CASES = [(1, 1), (1, 64), (200, 64)]
FULL_CASES = [(1, 1), (1, 16), (1, 64), (1, 256)]
FULL_CASES += [(200, 1), (200, 64)]
FULL_CASES += [(1_000, 1), (1_000, 16), (1_000, 64), (1_000, 256)]

WARM_UP_SECONDS = 1

# A sample during which everything else on the machine used more cores than this is taken again, a few times.
OTHER_CORES_MAX = 0.25
TAKES_MAX = 4
PAUSE_SECONDS = 2


def main():
    arguments = parse()
    return benchmark.run(lambda run_directory: work(arguments, run_directory))


def work(arguments, run_directory):
    check_machine(run_directory)
    contestants = choose(arguments, run_directory)
    started = []
    try:
        for server in contestants:
            server.prepare(run_directory)
            started.append(server)
            server.start()
        compare(arguments, contestants)
    finally:
        for server in started:
            server.kill()


def parse():
    parser = argparse.ArgumentParser(description="Compares durable increments per second. See benches/README.md.")
    parser.add_argument("--full", action="store_true", help="all cases, longer samples, more rounds: six minutes")
    parser.add_argument("--rounds", type=int, metavar="N", help="samples of each case and server [3, full: 5]")
    parser.add_argument("--seconds", type=int, metavar="N", help="length of a sample [1, full: 2]")
    parser.add_argument("--workerd-memory", action="store_true", help="also workerd without durable storage")
    choices, text = ["workerd", "ceiling"], "leave one out; may be given twice"
    parser.add_argument("--without", action="append", default=[], choices=choices, help=text)
    parser.add_argument("--dohost", type=Path, metavar="FILE", help="use this binary instead of building one")
    parser.add_argument("--guest", type=Path, metavar="FILE", help="use this counter.wasm instead of building one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (5 if arguments.full else 3)
    arguments.seconds = arguments.seconds or (2 if arguments.full else 1)
    return arguments


def check_machine(run_directory):
    if platform.system() != "Linux":
        raise servers.Missing("the benchmarks read /proc, so they run on Linux only")
    servers.need("wrk", servers.HELP["wrk"])
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    holds = [(len(point), kind) for point, kind in mounts if run_directory.is_relative_to(point)]
    if max(holds)[1] == "tmpfs":
        text = f"{run_directory.parent} is in memory, where a commit costs nothing"
        raise servers.Missing(f"{text}\n  help: TMPDIR=/a/directory/on/a/disk python3 benches/run.py")


def choose(arguments, run_directory):
    """The servers to compare; builds and installs what is not there."""
    say("building")
    contestants = [servers.dohost(run_directory, arguments.dohost, arguments.guest)]
    if "workerd" not in arguments.without:
        contestants.append(servers.workerd("workerd on disk", "disk"))
    if arguments.workerd_memory:
        contestants.append(servers.workerd("workerd in memory", "memory"))
    if "ceiling" not in arguments.without:
        contestants.append(servers.ceiling())
    return contestants


def compare(arguments, contestants):
    cases = FULL_CASES if arguments.full else SHORT_CASES
    counters_max = max(counters for counters, _ in cases)
    # For each server: increments acknowledged, and increments that may have been made though nobody saw the answer.
    acknowledged = {server.name: counters_max for server in contestants}
    unanswered = {server.name: 0 for server in contestants}
    samples = {}

    def take(server, counters, connections, seconds, seed):
        sample = load.sample(server, counters, connections, seconds, seed)
        acknowledged[server.name] += sample.requests
        unanswered[server.name] += connections
        return sample

    def take_in_quiet(*what):
        for _ in range(TAKES_MAX - 1):
            sample = take(*what)
            if sample.other_cores <= OTHER_CORES_MAX:
                return sample
            time.sleep(PAUSE_SECONDS)
        return take(*what)

    for server in contestants:
        say(f"creating {counters_max:,} counters: {server.name}")
        load.create(server, counters_max)
        take(server, counters_max, 64, WARM_UP_SECONDS, 0)
    for round in range(arguments.rounds):
        say(f"round {round + 1} of {arguments.rounds}")
        turn = round % len(contestants)
        for counters, connections in cases:
            for server in contestants[turn:] + contestants[:turn]:
                sample = take_in_quiet(server, counters, connections, arguments.seconds, round + 1)
                samples.setdefault((counters, connections, server.name), []).append(sample)
    for server in contestants:
        say(f"checking: {server.name}")
        check(server, counters_max, acknowledged[server.name], unanswered[server.name])
    show(arguments, samples, [server.name for server in contestants])


def check(server, counters, acknowledged, unanswered):
    """Compares the counters with what was acknowledged, after a crash of the server if it promises to survive one."""
    if server.is_durable:
        server.kill()
        server.start()
    counted = load.total(server, counters)
    if not acknowledged <= counted <= acknowledged + unanswered:
        text = f"{acknowledged:,} increments were acknowledged and at most {unanswered:,} unanswered"
        raise load.Wrong(f"{server.name} counted {counted:,}, but {text}")


def show(arguments, samples, names):
    rounds = f"{arguments.rounds} rounds of {arguments.seconds} s samples"
    print(f"\n{datetime.date.today()}, {os.cpu_count()} cores, {rounds}.", end=" ")
    print(report.noise(samples, OTHER_CORES_MAX), end="\n\n")
    print(report.table(samples, names), end="\n\n")
    print(report.verdicts(samples))
    print("Every counter has all acknowledged increments, after SIGKILL and a restart where durability is promised.")
    if arguments.json:
        rows = [
            {"counters": counters, "connections": connections, "server": name, **dataclasses.asdict(sample)}
            for (counters, connections, name), row in samples.items()
            for sample in row
        ]
        arguments.json.write_text(json.dumps(rows, indent=1))


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
