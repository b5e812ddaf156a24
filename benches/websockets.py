#!/usr/bin/env python3
"""Websockets, side by side with workerd: messages per second and CPU of an echo, and what a sleeping one costs.

    python3 benches/websockets.py                    both parts, about three minutes
    python3 benches/websockets.py --without idle

Samples of the servers alternate. See benches/README.md.
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import servers
from servers import BENCHES, BUILT, ROOT, Missing, Server

CONNECTIONS = [1, 64, 256]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="samples of each case and server [3]")
    parser.add_argument("--seconds", type=int, default=2, metavar="N", help="length of a sample [2]")
    parser.add_argument("--sockets", type=int, default=10_000, metavar="N", help="sleeping websockets, one an object [10000]")
    parser.add_argument("--without", action="append", default=[], choices=["echo", "idle", "workerd"])
    parser.add_argument("--dohost", type=Path, metavar="FILE", help="use this binary instead of building one")
    arguments = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="dohost-bench-") as directory:
        directory = Path(directory)
        load = websocket_load()
        if "echo" not in arguments.without:
            show_echo(echo(arguments, directory, load))
        if "idle" not in arguments.without:
            show_idle(idle(arguments, directory, load, hard))


def websocket_load():
    target = BUILT / "websocket-load"
    servers.run(["cargo", "build", "--release", "--target-dir", target], BENCHES / "websocket-load")
    return target / "release" / "websocket-load"


def contestants(arguments, directory, sleeps):
    binary = arguments.dohost or servers.build_dohost()
    guest = ROOT / "target" / "guests" / "sockets.wasm"
    if not guest.is_file():
        servers.run(["cargo", "xtask", "guests"], ROOT)
    name = "sleeping" if sleeps else "awake"
    place = directory / name
    place.mkdir()
    binary = shutil.copy2(binary, place / "dohost")

    def command(port, data):
        idle_timeout = "1s" if sleeps else "1h"
        listen = ["--listen", f"127.0.0.1:{port}", "--data-dir", data]
        return [binary, "serve", guest, *listen, "--idle-timeout", idle_timeout]

    all_of_them = [Server("dohost", command)]
    if "workerd" not in arguments.without:
        installed = servers.workerd_binary()
        config = BENCHES / "workerd" / "sockets.capnp"
        which = "hibernating" if sleeps else "resident"
        all_of_them.append(
            Server("workerd", lambda port, data: [installed, "serve", config, which, "--socket-addr", f"http=127.0.0.1:{port}"])
        )
    for server in all_of_them:
        server.prepare(place)
        server.start()
    return all_of_them


def echo(arguments, directory, load):
    """One object, all connections to it; objects stay in memory. Answers and CPU seconds, by connections and server."""
    running = contestants(arguments, directory, sleeps=False)
    samples = {}
    try:
        for connections in CONNECTIONS:
            for _ in range(arguments.rounds):
                for server in running:
                    before = server.cpu_seconds()
                    command = [load, "echo", server.address, str(connections), str(arguments.seconds)]
                    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                    cpu = server.cpu_seconds() - before
                    samples.setdefault((connections, server.name), []).append((answer, cpu))
    finally:
        for server in running:
            server.kill()
    return samples


def show_echo(samples):
    print("| connections | server | messages/s | CPU µs each | p50 µs | p99 µs |\n| --- | --- | --- | --- | --- | --- |")
    for (connections, name), taken in samples.items():
        rate = statistics.median(answer["messages"] / answer["seconds"] for answer, _ in taken)
        cpu = statistics.median(cpu / answer["messages"] * 1e6 for answer, cpu in taken)
        p50, p99 = (statistics.median(answer[which] for answer, _ in taken) for which in ("p50", "p99"))
        print(f"| {connections} | {name} | {rate:,.0f} | {cpu:.1f} | {p50:,.0f} | {p99:,.0f} |")


def idle(arguments, directory, load, files_max):
    """Many objects with a websocket each, asleep; then one after the other is woken. For each server what that costs."""
    count = min(arguments.sockets, files_max - 100)
    rows = []
    running = contestants(arguments, directory, sleeps=True)
    try:
        for server in running:
            before, cpu = memory(server), server.cpu_seconds()
            client = subprocess.Popen(
                [load, "idle", server.address, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            assert client.stdout.readline() == "open\n", server.log_tail()
            opening = (server.cpu_seconds() - cpu) / count * 1e6
            # workerd evicts after ten seconds.
            time.sleep(25)
            each = (memory(server) - before) / count / 1024

            def ask(number):
                client.stdin.write(f"{number}\n")
                client.stdin.flush()
                return json.loads(client.stdout.readline())

            woken = ask(min(1_000, count))
            client.stdin.close()
            client.wait()
            rows.append((server.name, count, each, opening, woken))
    finally:
        for server in running:
            server.kill()
    return rows


def show_idle(rows):
    print("\n| server | objects with a websocket | asleep, KiB each | opening, CPU µs each | waking p50 µs | p99 µs |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, count, each, opening, woken in rows:
        print(f"| {name} | {count:,} | {each:.1f} | {opening:.0f} | {woken['p50']:,} | {woken['p99']:,} |")


def memory(server):
    """Bytes that it has in memory."""
    pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


if __name__ == "__main__":
    try:
        main()
    except Missing as missing:
        sys.exit(f"error: {missing}")
