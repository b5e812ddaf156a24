"""The first request to each of many objects that never were: an increment, durable where that is promised.

A sample ends when all were asked, or when its time is up: workerd on disk makes files for each object.
"""

import load
from servers import CEILING, DISK, DOHOST, MEMORY

NAME = "cold"

CONNECTIONS = 64


def measure(bench):
    objects, seconds = (10_000, 10) if bench.full else (2_000, 3)
    names = [DOHOST, DISK, MEMORY, CEILING] if bench.full else [DOHOST, DISK, CEILING]
    # Each round on new data.
    for round in range(bench.rounds):
        with bench.running(names) as contestants:
            for server in bench.turn(contestants, round):
                sample = load.sample(server, load.INCREMENT, objects, CONNECTIONS, seconds, once=True)
                bench.results.add_sample(NAME, f"{CONNECTIONS} connections", server.name, sample)
                bench.results.add(NAME, f"{CONNECTIONS} connections", server.name, count=sample.requests)
    bench.results.note(NAME, f"At most {objects:,} objects, and at most {seconds} s for a sample.")
