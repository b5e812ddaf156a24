#!/usr/bin/env python3
"""Instructions for each request on the hot path: the same number on any machine, busy or not. See README.md.

dohost runs under callgrind with one executor. Requests come in bursts, one on each connection, and the process stands still
(SIGSTOP) while a burst is sent: so it finds all of them at once, and what shares a commit does not depend on time. What the
kernel does is not counted. Fails if a number is above the one in instructions.toml by more than the tolerance there.
"""

import argparse
import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True  # nothing is left beside the sources

import benchmark
import callgrind
import servers

EXPECTED = Path(__file__).with_suffix(".toml")
TOLERANCE_PERCENT = 8

# Compiling JavaScript's runtime takes half a minute under callgrind, and minutes on a busy machine.
START_SECONDS_MAX = 600

# No reply takes this long under callgrind unless something is broken.
REPLY_SECONDS_MAX = 60

# After a burst, for what comes after its replies.
SETTLE_SECONDS = 0.2

# What is shown of a case that takes more than it should.
FUNCTIONS_SHOWN = 30


@dataclasses.dataclass
class Case:
    """What is asked, over so many connections at once, and how often that is counted."""

    name: str
    path: str  # {index} is the number of an object
    objects: int
    connections: int
    bursts: int

    @property
    def requests(self):
        return self.connections * self.bursts


CASES = [
    Case("echo", "/bench/o{index}/echo", 1, 64, 10),
    Case("read", "/counter/o{index}/value", 1, 64, 10),
    Case("increment-1-connection", "/counter/o{index}/increment", 1, 1, 200),
    Case("increment-1-object", "/counter/o{index}/increment", 1, 64, 10),
    Case("increment-200-objects", "/counter/o{index}/increment", 200, 64, 25),
    Case("increment-1000-objects", "/counter/o{index}/increment", 1_000, 64, 32),
    Case("javascript", "/javascript/o{index}/increment", 1, 64, 5),
]

JAVASCRIPT = servers.ROOT / "tests" / "programs" / "documented.js"


def main():
    arguments = parse()
    return benchmark.run(lambda run_directory: work(arguments, run_directory))


def parse():
    parser = argparse.ArgumentParser(description="Instructions for each request. See benches/README.md.")
    names = [case.name for case in CASES]
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(names)} [all]")
    parser.add_argument("--dohost", type=Path, metavar="FILE", help="use this binary instead of building one")
    parser.add_argument("--functions", action="store_true", help="show where the instructions are")
    parser.add_argument("--record", action="store_true", help=f"write what is counted to {EXPECTED.name}")
    parser.add_argument("--keep", type=Path, metavar="DIRECTORY", help="keep what callgrind wrote, for kcachegrind")
    arguments = parser.parse_args()
    unknown = set(arguments.cases) - set(names)
    if unknown:
        parser.error(f"there is no case {', '.join(unknown)}")
    if arguments.record and arguments.cases:
        parser.error("--record is for all cases")
    return arguments


def work(arguments, run_directory):
    wanted = [case for case in CASES if case.name in arguments.cases or not arguments.cases]
    expected = read_expected()
    binary, guests = build(arguments, run_directory)
    servers.START_SECONDS_MAX = START_SECONDS_MAX
    directory = run_directory / "counted"
    directory.mkdir()
    server = under_callgrind(binary, guests, directory)
    server.prepare(run_directory)
    server.start()
    too_many = []
    try:
        print("| case | executor | committer | all | expected | |\n| --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
        for case in wanted:
            counted = count(server, case, directory)
            is_more = show(case, counted, expected.get(case.name))
            if is_more or arguments.functions:
                too_many.append((case, counted))
            expected[case.name] = counted["all"] // case.requests if arguments.record else expected.get(case.name)
    finally:
        server.kill()
        if arguments.keep:
            shutil.copytree(directory, arguments.keep, dirs_exist_ok=True)
    for case, counted in too_many:
        show_functions(case, counted)
    if arguments.record:
        write_expected(expected)
    elif too_many and not arguments.functions:
        names = ", ".join(case.name for case, _ in too_many)
        help = "if that is what it costs: benches/instructions.py --record"
        raise servers.Missing(f"more than {TOLERANCE_PERCENT} % above what is expected: {names}\n  help: {help}")


def build(arguments, run_directory):
    servers.need("valgrind", "apt-get install valgrind")
    binary = arguments.dohost
    if binary is None:
        servers.run(["cargo", "xtask", "guests"], servers.ROOT)
        binary = servers.build_dohost("release")
    if not Path(binary).is_file():
        raise servers.Missing(f"there is no file {binary}")
    guests = [servers.ROOT / "target" / "guests" / f"{name}.wasm" for name in ("counter", "bench")]
    return shutil.copy2(binary, run_directory / "dohost"), guests


def under_callgrind(binary, guests, directory):
    valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes", "--fair-sched=yes"]
    valgrind += [f"--callgrind-out-file={directory}/callgrind"]
    options = ["--threads", "1", "--idle-timeout", "1h", "--log", "error"]
    # valgrind has less address space for the pool of instances.
    options += ["--max-resident", 1_100, "--limit", "memory=16MiB"]

    def command(port, data):
        classes = [*guests, "--class", f"javascript={JAVASCRIPT}#Counter"]
        return [*valgrind, binary, "serve", *classes, "--listen", f"127.0.0.1:{port}", "--data-dir", data, *options]

    return servers.Server("dohost", command)


def count(server, case, directory):
    """The threads that ran, and the sums, under "executor", "committer" and "all"."""
    client = Client(server, case)
    # Until all objects are resident, and all of it has run at least once.
    for _ in range(case.objects // case.connections + 4):
        client.burst()
    tell(server, "zero")
    tell(server, "instrumentation on")
    for _ in range(case.bursts):
        client.burst()
    time.sleep(SETTLE_SECONDS)
    tell(server, "instrumentation off")
    before = set(directory.iterdir())
    tell(server, f"dump {case.name}")
    client.close()
    counted = {"threads": [], "executor": 0, "committer": 0, "all": 0}
    for file in sorted(set(directory.iterdir()) - before):
        thread = callgrind.Thread(file.read_text())
        file.rename(directory / f"{case.name}.{file.name.rpartition('-')[2]}")
        counted["threads"].append(thread)
        counted["all"] += thread.instructions
        for name, part in (("executor", "dohost_ingress::"), ("committer", "dohost_storage::commit::committer::")):
            counted[name] += thread.instructions if thread.is_running(part) else 0
    return counted


def tell(server, command):
    done = subprocess.run(["vgdb", f"--pid={server.process.pid}", *command.split()], capture_output=True, text=True)
    if done.returncode != 0:
        raise servers.Missing(f"callgrind does not do `{command}`:\n{done.stdout}{done.stderr}")


class Client:
    """The connections of a case. Requests go to one object after the other."""

    def __init__(self, server, case):
        self.server, self.case, self.next = server, case, 0
        host, port = server.address.rsplit(":", 1)
        address = (host, int(port))
        self.sockets = [socket.create_connection(address, timeout=REPLY_SECONDS_MAX) for _ in range(case.connections)]

    def burst(self):
        pid = self.server.process.pid
        os.kill(pid, signal.SIGSTOP)
        for each in self.sockets:
            path = self.case.path.format(index=self.next)
            self.next = (self.next + 1) % self.case.objects
            each.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        os.kill(pid, signal.SIGCONT)
        for each in self.sockets:
            self.reply(each)

    def reply(self, each):
        reply = b""
        while b"\r\n\r\n" not in reply or reply.endswith(b"\r\n\r\n"):
            part = each.recv(4096)
            if not part:
                raise servers.Missing(f"the host hung up\n{self.server.log_tail()}")
            reply += part
        if not reply.startswith(b"HTTP/1.1 200"):
            raise servers.Missing(f"{self.case.name}: {reply.decode(errors='replace')}")

    def close(self):
        for each in self.sockets:
            each.close()


def show(case, counted, expected):
    """A line of the table; whether it is more than may be."""
    each = {name: counted[name] / case.requests for name in ("executor", "committer", "all")}
    more = (each["all"] / expected - 1) * 100 if expected else 0
    cells = [case.name, *(f"{number:,.0f}" for number in each.values())]
    cells += [f"{expected:,}", f"{more:+.1f} %"] if expected else ["", ""]
    print(f"| {' | '.join(cells)} |", flush=True)
    return more > TOLERANCE_PERCENT


def show_functions(case, counted):
    functions = {}
    for thread in counted["threads"]:
        for name, instructions in thread.functions.items():
            functions[name] = functions.get(name, 0) + instructions
    print(f"\n{case.name}, instructions for each request:")
    owners = (f"{owner} {instructions / case.requests:,.0f}" for owner, instructions in callgrind.by_owner(functions))
    print(f"  {', '.join(owners)}")
    for name, instructions in sorted(functions.items(), key=lambda item: -item[1])[:FUNCTIONS_SHOWN]:
        print(f"{instructions / case.requests:9,.0f}  {name[:140]}")


def read_expected():
    """Lines of `case = number`, the little of TOML that it takes."""
    if not EXPECTED.is_file():
        return {}
    lines = (line.partition("#")[0].partition("=") for line in EXPECTED.read_text().splitlines())
    return {name.strip(): int(number.strip().replace("_", "")) for name, equals, number in lines if equals}


def write_expected(expected):
    lines = ["# Instructions of dohost for each request, as benches/instructions.py --record counted them."]
    lines += [f"{name} = {number:_}" for name, number in expected.items()]
    EXPECTED.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
