"""Values of different sizes: each request brings one, which is on disk before the reply."""

import http.client

import load
from servers import CEILING, DISK, DOHOST

NAME = "values"

OBJECTS = 16
CONNECTIONS = 16
SIZES = {"100 B": 100, "10 KiB": 10 << 10, "1 MiB": 1 << 20}


def measure(bench):
    # Without workerd in memory, which has not kept all values of 1 MiB that it said were stored.
    with bench.running([DOHOST, DISK, CEILING]) as contestants:
        for label, size in SIZES.items():
            request = load.Request("bench", "store", size)
            bench.warm_up(request, OBJECTS, contestants)
            cases = [(OBJECTS, CONNECTIONS)]
            bench.alternate(NAME, request, cases, contestants, label=lambda *_: f"{label}, {OBJECTS} objects and connections")
            for server in contestants:
                # A slow server may not have been asked for each object in the time of its samples.
                load.sample(server, request, OBJECTS, CONNECTIONS, load.REPLY_SECONDS_MAX, once=True)
                check(server, size)


def check(server, size):
    """What was stored is there, after a crash too where that is promised."""
    if server.is_durable:
        server.kill()
        server.start()
    connection = http.client.HTTPConnection(server.address, timeout=load.REPLY_SECONDS_MAX)
    for index in range(OBJECTS):
        stored = load.exchange(connection, server, "GET", f"/bench/o{index}/stored")
        if len(stored) != size:
            raise load.Wrong(f"{server.name} stored {len(stored)} bytes of {size}")
    connection.close()
