"""Requests that touch no storage: what the host takes by itself. The ceiling is hyper alone here."""

import load
from servers import CEILING, DOHOST, MEMORY

NAME = "echo"

SHORT_CASES = [(1, 64)]
FULL_CASES = [(objects, connections) for objects in (1, 1_000) for connections in (1, 16, 64, 256)]


def measure(bench):
    cases = FULL_CASES if bench.full else SHORT_CASES
    with bench.running([DOHOST, MEMORY, CEILING] if bench.full else [DOHOST, CEILING]) as contestants:
        bench.warm_up(load.ECHO, max(objects for objects, _ in cases), contestants)
        bench.alternate(NAME, load.ECHO, cases, contestants)
