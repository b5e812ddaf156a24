#!/usr/bin/env python3
"""How long an object takes to answer beside a guest that takes all it can get. See README.md.

One dohost with one thread, so that both share it. The neighbour is a counter that is asked on one connection, one
request after the other: read, increment, read, increment… Beside it a hostile object does one kind of harm all the
time. Every sample is a new dohost on new data.
"""

import argparse
import dataclasses
import datetime
import http.client
import multiprocessing
import os
import shutil
import socket
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True  # nothing is left beside the sources

import benchmark
import servers

# The harm begins so long before the neighbour is listened to.
LEAD_SECONDS = 1

# No reply takes this long unless something is broken.
REPLY_SECONDS_MAX = 60


@dataclasses.dataclass
class Kind:
    """A kind of harm."""

    name: str
    # What the hostile object is asked, again and again. {n} is another number each time.
    path: str | None
    # Objects that are asked at the same time, each on a connection of its own.
    objects: int = 1
    # What one of them is asked once before.
    before: tuple = ()


def fill(keys):
    """Paths that put so many keys, in turns as large as a turn may be."""
    return tuple(f"keys?from={start}&count=100000" for start in range(0, keys, 100_000))


KINDS = [
    Kind("nobody", None),
    Kind("4 objects that do no harm", "hello", 4),
    Kind("never gives way", "spin"),
    Kind("never gives way, 8 objects", "spin", 8),
    Kind("yields for ever", "yield"),
    Kind("runs out of stack", "recurse"),
    Kind("takes 126 MiB and traps, again and again", "memory-then-trap"),
    Kind("keeps stubs up to the limit", "stubs?count=100001"),
    Kind("calls 1,000 objects at once", "calls?objects=1000&calls=1000"),
    Kind("is refused 3,000 requests to the network", "outgoing?count=3000&authority=127.0.0.1:1"),
    Kind("writes 100,000 keys in a turn", "keys?from={n}00000&count=100000"),
    Kind("lists 300,000 keys", "list", before=fill(300_000)),
    Kind("writes and deletes 300,000 keys", "delete-all", before=fill(300_000)),
    Kind("replies with 50 MB", "body?bytes=50000000"),
    Kind("prints", "print?mib=64"),
]


def main():
    arguments = parse()
    return benchmark.run(lambda run_directory: work(arguments, run_directory))


def work(arguments, run_directory):
    binary, guests = build(arguments, run_directory)
    wanted = [kind for kind in KINDS if arguments.only in kind.name or kind is KINDS[0]]
    rows = [(kind, sample(arguments, run_directory / str(number), binary, guests, kind)) for number, kind in enumerate(wanted)]
    show(arguments, rows)


def parse():
    parser = argparse.ArgumentParser(description="Latency of an object beside hostile ones. See benches/README.md.")
    parser.add_argument("--seconds", type=int, default=8, metavar="N", help="length of a sample [8]")
    parser.add_argument("--only", default="", metavar="TEXT", help="kinds with this in their name, and nobody")
    parser.add_argument("--dohost", type=Path, metavar="FILE", help="use this binary instead of building one")
    return parser.parse_args()


def build(arguments, run_directory):
    """Copies: a build meanwhile does no harm."""
    binary = arguments.dohost or servers.build_dohost()
    servers.run(["cargo", "xtask", "guests"], servers.ROOT)
    guests = [servers.ROOT / "target" / "guests" / f"{name}.wasm" for name in ("counter", "hostile")]
    return shutil.copy2(binary, run_directory / "dohost"), [shutil.copy2(guest, run_directory) for guest in guests]


def sample(arguments, directory, binary, guests, kind):
    """Latencies of reads and of increments in seconds, and the replies of the hostile objects each second."""
    print(kind.name, file=sys.stderr, flush=True)
    directory.mkdir()
    options = ["--threads", "1", "--idle-timeout", "1h", "--log", "error,guest=info"]
    server = servers.Server(
        "dohost",
        lambda port, data: [binary, "serve", *guests, "--listen", f"127.0.0.1:{port}", "--data-dir", data, *options],
    )
    server.prepare(directory)
    server.start()
    stop, replies = multiprocessing.Event(), multiprocessing.Value("Q", 0)
    hostile = []
    try:
        for path in kind.before:
            ask(http.client.HTTPConnection(server.address, timeout=REPLY_SECONDS_MAX), f"/hostile/o0/{path}")
        if kind.path:
            harm = [(server.address, index, kind, stop, replies) for index in range(kind.objects)]
            hostile = [multiprocessing.Process(target=do_harm, args=each, daemon=True) for each in harm]
        for process in hostile:
            process.start()
        time.sleep(LEAD_SECONDS)
        with replies.get_lock():
            replies.value = 0
        reads, increments = [], []
        begin = time.monotonic()
        neighbour = Neighbour(server.address)
        while time.monotonic() < begin + arguments.seconds:
            reads.append(neighbour.ask("value"))
            increments.append(neighbour.ask("increment"))
        rate = replies.value / (time.monotonic() - begin)
        if server.process.poll() is not None:
            raise servers.Missing(f"the host is gone\n{server.log_tail()}")
        return reads, increments, rate
    finally:
        stop.set()
        server.kill()
        for process in hostile:
            process.kill()
            process.join()
        shutil.rmtree(directory, ignore_errors=True)


def do_harm(address, index, kind, stop, replies):
    number = 0
    while not stop.is_set():
        connection = http.client.HTTPConnection(address, timeout=REPLY_SECONDS_MAX)
        try:
            while not stop.is_set():
                number += 1
                ask(connection, f"/hostile/o{index}/{kind.path.format(n=number)}")
                with replies.get_lock():
                    replies.value += 1
                if kind.path == "delete-all":
                    for path in kind.before:
                        ask(connection, f"/hostile/o{index}/{path}")
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()


def ask(connection, path):
    connection.request("GET", path)
    connection.getresponse().read()


class Neighbour:
    """A counter and the one connection on which it is asked. Raw bytes: a client must not cost more than the host."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=REPLY_SECONDS_MAX)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, what):
        """Seconds until the reply was there."""
        begin = time.perf_counter()
        self.socket.sendall(f"GET /counter/neighbour/{what} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        reply = b""
        while b"\r\n\r\n" not in reply or reply.endswith(b"\r\n\r\n"):
            part = self.socket.recv(4096)
            if not part:
                raise servers.Missing("the host hung up on the neighbour")
            reply += part
        if not reply.startswith(b"HTTP/1.1 200"):
            raise servers.Missing(f"the neighbour was refused: {reply.decode(errors='replace')}")
        return time.perf_counter() - begin


def quantile_ms(latencies, part):
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000


def show(arguments, rows):
    print(f"\n{datetime.date.today()}, {os.cpu_count()} cores, 1 executor, samples of {arguments.seconds} s. In ms:\n")
    print("| beside | read p50 | p99 | p99.9 | max | increment p50 | p99 | p99.9 | max | hostile replies each second |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for kind, (reads, increments, rate) in rows:
        cells = []
        for latencies in (reads, increments):
            cells += [f"{quantile_ms(latencies, part):.2f}" for part in (0.5, 0.99)]
            cells += [f"{quantile_ms(latencies, part):.1f}" for part in (0.999, 1)]
        print(f"| {kind.name} | {' | '.join(cells)} | {rate:,.1f} |")


if __name__ == "__main__":
    sys.exit(main())
