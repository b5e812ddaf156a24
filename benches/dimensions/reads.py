"""Reads only: each gets the count of a resident object. The ceiling reads the store."""

import load
from servers import CEILING, DISK, DOHOST, MEMORY

NAME = "reads"

SHORT_CASES = [(1_000, 64)]
FULL_CASES = [(objects, connections) for objects in (1, 1_000) for connections in (1, 16, 64, 256)]


def measure(bench):
    cases = FULL_CASES if bench.full else SHORT_CASES
    with bench.running([DOHOST, DISK, MEMORY, CEILING] if bench.full else [DOHOST, CEILING]) as contestants:
        for server in contestants:
            load.create(server, max(objects for objects, _ in cases))
        bench.warm_up(load.READ, max(objects for objects, _ in cases), contestants)
        bench.alternate(NAME, load.READ, cases, contestants)
