"""Memory per resident object: what the process has more of once so many objects are resident, each after one increment."""

import subprocess
from pathlib import Path

import load
from servers import DISK, DOHOST, MEMORY

NAME = "memory"

CONNECTIONS = 64
# What is not resident by then is not counted. workerd on disk makes files for each object.
SECONDS_MAX = 120

# Mappings that a resident object may take, and the rest of the process.
MAPS_PER_OBJECT, MAPS_MORE = 6, 10_000
MAPS_MAX = Path("/proc/sys/vm/max_map_count")


def measure(bench):
    counts = [1_000, 10_000, 100_000] if bench.full else [1_000]
    before = int(MAPS_MAX.read_text())
    try:
        for count in counts:
            if allow_maps(bench, count):
                one(bench, DOHOST, count, "--max-resident", count)
        if "workerd" not in bench.without:
            for count in counts[:2]:
                one(bench, MEMORY, count)
            if bench.full:
                one(bench, DISK, counts[0])
    finally:
        if int(MAPS_MAX.read_text()) != before:
            set_maps(before)


def one(bench, name, count, *options):
    bench.say(f"{count:,} resident objects: {name}")
    with bench.running([name], *options) as [server]:
        # Objects that are not counted: what the first ones bring is not for each.
        load.sample(server, load.INCREMENT, 100, CONNECTIONS, SECONDS_MAX, first=count, once=True)
        before = server.resident_kib()
        # As requests that are sent twice are no harm: all were asked when wrk saw so many answers.
        sample = load.sample(server, load.INCREMENT, count, CONNECTIONS, SECONDS_MAX, once=True)
        kib = (server.resident_kib() - before) / sample.requests
        bench.results.add(NAME, f"{count:,}", server.name, kib=kib, count=sample.requests, cpu_us=sample.cpu_us)


def allow_maps(bench, count):
    """Raises vm.max_map_count if it has to be; whether so many objects can be resident."""
    needed = count * MAPS_PER_OBJECT + MAPS_MORE
    if int(MAPS_MAX.read_text()) >= needed or count <= 10_000 or set_maps(needed):
        return True
    bench.results.note(NAME, f"{count:,} need `sysctl -w vm.max_map_count={needed}`, which takes root.")
    return False


def set_maps(number):
    return subprocess.run(["sysctl", "-q", "-w", f"vm.max_map_count={number}"], capture_output=True).returncode == 0
