"""Durable increments: every reply waits until the new count is on disk, where the server promises that."""

import load
from servers import CEILING, DISK, DOHOST, JAVASCRIPT, MEMORY

NAME = "increments"

SHORT_CASES = [(1, 1), (1, 64), (1_000, 64)]
FULL_CASES = [(objects, connections) for objects in (1, 1_000) for connections in (1, 16, 64, 256)]


def measure(bench):
    names = [DOHOST, DISK, MEMORY, CEILING, JAVASCRIPT] if bench.full else [DOHOST, DISK, CEILING]
    cases = FULL_CASES if bench.full else SHORT_CASES
    objects = max(objects for objects, _ in cases)
    with bench.running(names) as contestants:
        counts = {server.name: Count(server, objects) for server in contestants}
        for server in contestants:
            bench.say(f"creating {objects:,} counters: {server.name}")
            load.create(server, objects)
            counts[server.name].add(load.sample(server, load.INCREMENT, objects, 64, bench.warm_up_seconds), 64)
        bench.alternate(NAME, load.INCREMENT, cases, contestants, lambda server, *taken: counts[server.name].add(*taken))
        for server in contestants:
            bench.say(f"checking: {server.name}")
            counts[server.name].check()
    text = "Every counter had all acknowledged increments, after SIGKILL and a restart where durability is promised."
    bench.results.note(NAME, text)


class Count:
    """What the counters of a server must have in sum."""

    def __init__(self, server, objects):
        self.server, self.objects = server, objects
        self.acknowledged = objects
        # Increments that may have been made though nobody saw the answer.
        self.unanswered = 0

    def add(self, sample, connections):
        self.acknowledged += sample.requests
        self.unanswered += connections

    def check(self):
        """After a crash of the server, if it promises to survive one."""
        if self.server.is_durable:
            self.server.kill()
            self.server.start()
        counted = load.total(self.server, self.objects)
        if not self.acknowledged <= counted <= self.acknowledged + self.unanswered:
            text = f"{self.acknowledged:,} increments were acknowledged and at most {self.unanswered:,} unanswered"
            raise load.Wrong(f"{self.server.name} counted {counted:,}, but {text}")
