"""WebSockets: messages that an object echoes, and what objects cost that sleep with one open. See ../websockets.py."""

import argparse
import resource

import websockets as script

NAME = "websockets"

# workerd has closed connections before there were more.
SLEEPING_MAX = 4_000


def measure(bench):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    directory = bench.run_directory / NAME
    directory.mkdir()
    arguments = argparse.Namespace(
        rounds=bench.rounds, seconds=bench.seconds, sockets=SLEEPING_MAX, without=bench.without, dohost=bench.tools.dohost
    )
    load = script.websocket_load()
    for (connections, name), taken in script.echo(arguments, directory, load).items():
        for answer, cpu in taken:
            figures = {"rate": answer["messages"] / answer["seconds"], "cpu_us": cpu / answer["messages"] * 1e6}
            figures |= {"p50_ms": answer["p50"] / 1e3, "p99_ms": answer["p99"] / 1e3}
            bench.results.add(NAME, f"echo, {connections} connection{'s'[: connections > 1]}", name, **figures)
    if bench.full:
        for name, count, each, opening, woken in script.idle(arguments, directory, load, hard):
            bench.results.add(NAME, f"asleep, {count:,} objects", name, kib=each)
            bench.results.add(NAME, "opening", name, cpu_us=opening)
            bench.results.add(NAME, "waking", name, p50_ms=woken["p50"] / 1e3, p99_ms=woken["p99"] / 1e3)
