"""How long others wait while one object commits much: increments of 1,000 objects, alone and beside one that stores values of
1 MiB on a connection of its own, all the time."""

import load
from servers import CEILING, DISK, DOHOST

NAME = "tail"

OBJECTS, CONNECTIONS = 1_000, 64
LARGE = load.Request("bench", "store", 1 << 20)


def measure(bench):
    with bench.running([DOHOST, DISK, CEILING] if bench.full else [DOHOST, CEILING]) as contestants:
        for server in contestants:
            load.create(server, OBJECTS)
        bench.warm_up(load.INCREMENT, OBJECTS, contestants)
        for round in range(bench.rounds):
            for server in bench.turn(contestants, round):
                alone = load.sample(server, load.INCREMENT, OBJECTS, CONNECTIONS, bench.seconds, round)
                bench.results.add_sample(NAME, "alone", server.name, alone)
                # It begins before and ends after.
                large = load.start(server, LARGE, 1, 1, bench.seconds + 2)
                try:
                    beside = load.sample(server, load.INCREMENT, OBJECTS, CONNECTIONS, bench.seconds, round)
                finally:
                    output = large.communicate()[0].decode()
                stored = load.read_result(server, large, output)
                bench.results.add_sample(NAME, "beside values of 1 MiB", server.name, beside)
                rate = stored["requests"] / stored["seconds"]
                bench.results.add(NAME, "the values of 1 MiB", server.name, rate=rate, p50_ms=stored["p50_ms"])
