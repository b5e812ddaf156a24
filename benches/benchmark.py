"""What every benchmark does around what it measures: a directory of its own, samples in turns, and how it ends."""

import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import load
import report
import servers
from results import Results

# A sample that is disturbed is taken again, a few times.
TAKES_MAX = {"short": 2, "full": 4}
PAUSE_SECONDS = 2


def run(work):
    """Calls `work` with a directory that is gone afterwards; the exit code of the benchmark."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    directory = Path(tempfile.mkdtemp(prefix="dohost-bench-"))
    # Nothing that was compiled before makes a start look fast.
    os.environ["DOHOST_CACHE_DIR"] = str(directory / "cache")
    try:
        work(directory)
        return 0
    except (servers.Missing, load.Wrong) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class Bench:
    """What a dimension measures with, and where its results go."""

    warm_up_seconds = 1

    def __init__(self, arguments, run_directory):
        self.full = arguments.full
        self.rounds, self.seconds = arguments.rounds, arguments.seconds
        self.without = arguments.without
        self.run_directory = run_directory
        self.results = Results()
        self.tools = servers.Tools(run_directory, arguments.dohost, arguments.guests, arguments.profile)

    def running(self, names, *options):
        """Servers by their names, as a context, on new data; options are dohost's. Leaves out what is not wanted."""
        wanted = [name for name in names if name.split()[0] not in self.without]
        contestants = [self.tools.server(name, *(options if name == servers.DOHOST else ())) for name in wanted]
        return servers.running(contestants, self.run_directory / "running")

    def warm_up(self, request, objects, contestants):
        for server in contestants:
            load.sample(server, request, objects, 64, self.warm_up_seconds, once=True)
            load.sample(server, request, objects, 64, self.warm_up_seconds)

    def turn(self, contestants, round):
        """A B C, then B C A, then C A B: who comes after whom changes."""
        first = round % len(contestants)
        return contestants[first:] + contestants[:first]

    def alternate(self, dimension, request, cases, contestants, heard=lambda *_: None, label=None):
        """Samples of all servers in turns; `heard` gets each server, sample and number of connections."""
        label = label or case_label
        for round in range(self.rounds):
            self.say(f"{dimension}: round {round + 1} of {self.rounds}")
            for objects, connections in cases:
                for server in self.turn(contestants, round):
                    sample = self._take_in_quiet(server, request, objects, connections, round + 1, heard)
                    self.results.add_sample(dimension, label(objects, connections), server.name, sample)

    def _take_in_quiet(self, server, request, objects, connections, seed, heard):
        takes_max = TAKES_MAX["full" if self.full else "short"]
        for take in range(takes_max):
            sample = load.sample(server, request, objects, connections, self.seconds, seed)
            heard(server, sample, connections)
            if sample.other_cores <= report.OTHER_CORES_MAX or take + 1 == takes_max:
                return sample
            time.sleep(PAUSE_SECONDS)

    def say(self, text):
        print(text, file=sys.stderr, flush=True)


def case_label(objects, connections):
    return f"{objects:,} object{'s'[: objects > 1]}, {connections} connection{'s'[: connections > 1]}"


def check_machine(run_directory):
    if platform.system() != "Linux":
        raise servers.Missing("the benchmarks read /proc, so they run on Linux only")
    servers.need("wrk", servers.HELP["wrk"])
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    holds = [(len(point), kind) for point, kind in mounts if run_directory.is_relative_to(point)]
    if max(holds)[1] == "tmpfs":
        text = f"{run_directory.parent} is in memory, where a commit costs nothing"
        raise servers.Missing(f"{text}\n  help: TMPDIR=/a/directory/on/a/disk python3 benches/run.py")
