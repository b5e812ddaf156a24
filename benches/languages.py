#!/usr/bin/env python3
"""What the same counter costs in each language. See README.md.

One dohost for each component, on new data. The figures of a language do not depend on those of another, so any of them can
be taken again by itself: `languages.py counter-go`.
"""

import argparse
import dataclasses
import datetime
import http.client
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True  # nothing is left beside the sources

import benchmark
import load
import servers

GUESTS = servers.ROOT / "target" / "guests"


@dataclasses.dataclass
class Language:
    """A counter: what the table calls it, and what it is built of."""

    label: str
    # A file of its sources: when it is newer than what was built, that is built again.
    source: Path
    # What builds it, with its tools in place. {dohost} is the binary, {directory} that of this run.
    command: list


def in_rust(label, name):
    return Language(label, servers.ROOT / "guests" / name / "src" / "lib.rs", ["cargo", "xtask", "guests"])


def in_another(label, name):
    stamp = servers.ROOT / "target" / "languages" / f"counter-{name}.stamp"
    return Language(label, stamp, ["cargo", "xtask", "languages", name])


PROGRAM = servers.ROOT / "tests" / "programs" / "documented.js"

# By the names of their components.
LANGUAGES = {
    "counter": in_rust("Rust", "counter"),
    "counter-sync": in_rust("Rust, sync ABI", "counter-sync"),
    "rust-counter": in_rust("Rust, dohost-guest", "rust-counter"),
    "counter-c": in_another("C", "c"),
    "counter-zig": in_another("Zig", "zig"),
    "counter-assemblyscript": in_another("AssemblyScript", "assemblyscript"),
    "counter-go": in_another("Go", "go"),
    "counter-python": in_another("Python", "python"),
    "counter-javascript": Language("JavaScript", PROGRAM, ["{dohost}", "build", PROGRAM, "-o", "{directory}/counter-javascript.wasm"]),
}

OBJECTS = 1_000
RESIDENTS_MAX = 5_000
CONNECTIONS = 64
SAMPLES = 5

# Compiling Python takes half a minute of CPU.
START_SECONDS_MAX = 300


def main():
    arguments = parse()
    servers.START_SECONDS_MAX = START_SECONDS_MAX
    return benchmark.run(lambda run_directory: work(arguments, run_directory))


def work(arguments, run_directory):
    binary = build(arguments, run_directory)
    show_head()
    for name in arguments.components:
        print("| " + " | ".join(row(name, binary, run_directory, arguments)) + " |", flush=True)


def parse():
    parser = argparse.ArgumentParser(description="Costs of the counter in each language. See benches/README.md.")
    text = "components, such as counter-go [all]"
    parser.add_argument("components", nargs="*", default=list(LANGUAGES), metavar="COMPONENT", help=text)
    parser.add_argument("--seconds", type=int, default=2, metavar="N", help="length of a sample [2]")
    parser.add_argument("--without-build", action="store_true", help="do not measure how long the components take to build")
    parser.add_argument("--dohost", type=Path, metavar="FILE", help="use this binary instead of building one")
    return parser.parse_args()


def build(arguments, run_directory):
    """A copy of the binary: a build meanwhile does no harm."""
    servers.need("wrk", servers.HELP["wrk"])
    return shutil.copy2(arguments.dohost or servers.build_dohost(), run_directory / "dohost")


def row(name, binary, run_directory, arguments):
    """The cells of one line of the table, which is in the order of HEAD."""
    language = LANGUAGES.get(name)
    if language is None:
        raise servers.Missing(f"nothing is known of {name}\n  help: there are {', '.join(LANGUAGES)}")
    component = GUESTS / f"{name}.wasm"
    if language.source == PROGRAM:
        component = run_directory / f"{name}.wasm"
        build_once(language, binary, run_directory)
    built = "" if arguments.without_build else f"{build_again(language, binary, run_directory):.1f}"
    if not component.is_file():
        raise servers.Missing(f"there is no {component}\n  help: cargo xtask guests, cargo xtask languages")
    options = ["--idle-timeout", "1h", "--max-resident", RESIDENTS_MAX]

    def command(port, data):
        listen = ["--listen", f"127.0.0.1:{port}", "--data-dir", data]
        return [binary, "serve", "--class", f"counter={component}", *listen, *options]

    server = servers.Server(name, command)
    server.prepare(run_directory)
    shutil.rmtree(os.environ["DOHOST_CACHE_DIR"], ignore_errors=True)
    server.start()
    try:
        compile_cpu = server.cpu_seconds()
        server.kill()
        server.start()
        again_cpu = server.cpu_seconds()
        code_kib = int(re.search(r"compiled_kib=(\d+)", server.log_tail())[1])
        start_ms, start_cpu_ms, object_kib = residents(server)
        samples = [load.sample(server, load.INCREMENT, 1, CONNECTIONS, arguments.seconds, seed) for seed in range(SAMPLES + 1)][1:]
        increment_us = statistics.median(sample.cpu_us for sample in samples)
        rate = statistics.median(sample.rate for sample in samples)
    finally:
        server.kill()
    size = kib(component.stat().st_size / 1024)
    start = [f"{start_cpu_ms:.2f}", f"{start_ms:.2f}"]
    increment = [f"{increment_us:.0f}", f"{rate:,.0f}"]
    starts = [f"{compile_cpu:.1f}", f"{again_cpu:.2f}"]
    return [language.label, built, size, *starts, kib(code_kib), *start, *increment, f"{object_kib:,.0f}"]


HEAD = ["language", "build, CPU s", ".wasm", "compile, CPU s", "again, CPU s", "compiled", "start, CPU ms", "start, ms"]
HEAD += ["increment, CPU µs", "per second", "KiB each"]


def build_again(language, binary, run_directory):
    """CPU seconds of building it with its tools in place."""
    if language.source == PROGRAM:
        # The runtime of JavaScript is compiled already; what was built is forgotten.
        shutil.rmtree(Path(os.environ["DOHOST_CACHE_DIR"]) / "programs")
        return build_once(language, binary, run_directory)
    # What cargo and xtask take by themselves, as they do when there is nothing to build, is subtracted.
    build_once(language, binary, run_directory)
    nothing = build_once(language, binary, run_directory)
    if language.source.suffix == ".stamp":
        language.source.unlink()
    else:
        language.source.touch()
    return max(0, build_once(language, binary, run_directory) - nothing)


def build_once(language, binary, run_directory):
    return cpu_of([str(part).format(dohost=binary, directory=run_directory) for part in language.command])


def cpu_of(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    servers.run(command, servers.ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def residents(server):
    """Starts objects, one after the other on one connection: ms, CPU ms and KiB for each.

    A read starts them, so no disk is in the times; what a read takes that does not start an object is subtracted. Then each
    has an increment before the memory is read.
    """
    ask_each(server, range(OBJECTS, OBJECTS + 50), "value")
    before = server.resident_kib()
    start_ms, start_cpu = ask_each(server, range(OBJECTS), "value")
    again_ms, again_cpu = ask_each(server, range(OBJECTS), "value")
    ask_each(server, range(OBJECTS), "increment")
    return start_ms - again_ms, start_cpu - again_cpu, (server.resident_kib() - before) / OBJECTS


def ask_each(server, objects, what):
    """Median ms of a request, and the CPU ms for each."""
    connection = http.client.HTTPConnection(server.address, timeout=load.REPLY_SECONDS_MAX)
    cpu, times = server.cpu_seconds(), []
    for index in objects:
        begin = time.perf_counter()
        load.ask(connection, server, index, what)
        times.append(time.perf_counter() - begin)
    connection.close()
    return statistics.median(times) * 1e3, (server.cpu_seconds() - cpu) / len(times) * 1e3


def kib(number):
    return f"{number:,.0f} KiB" if number < 10_000 else f"{number / 1024:,.1f} MiB"


def show_head():
    version = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=servers.ROOT, capture_output=True, text=True)
    print(f"\n{datetime.date.today()}, {os.cpu_count()} cores, dohost at {version.stdout.strip() or 'an unknown commit'}.\n")
    print("| " + " | ".join(HEAD) + " |")
    print("| --- |" + " ---: |" * (len(HEAD) - 1), flush=True)


if __name__ == "__main__":
    sys.exit(main())
