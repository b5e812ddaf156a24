"""From the start of the process to the first answer of an object, with nothing stored and with a million objects.

The store with a million objects is made once, by asking for them, and kept in target/bench. The component was compiled before.
"""

import http.client
import shutil
import time

import load
import servers
from servers import DOHOST

NAME = "start"

OBJECTS = 1_000_000
STORE = servers.BUILT / "million"
FILL_SECONDS_MAX = 1_800
CONNECTIONS = 256

SECONDS_MAX = 120


def measure(bench):
    objects = OBJECTS if bench.full else 0
    if objects:
        fill(bench)
    with bench.running([DOHOST]) as [server]:
        server.stop()
        empty = server.data
        places = {"empty": empty} | ({f"{OBJECTS:,} objects": STORE / "data"} if objects else {})
        for _ in range(max(bench.rounds, 5)):
            for case, data in places.items():
                if case == "empty":
                    shutil.rmtree(data)
                    data.mkdir()
                server.data = data
                bench.results.add(NAME, case, server.name, **first_answer(server))
                server.stop()
        if objects:
            server.data = STORE / "data"
            for _ in range(3):
                first_answer(server)
                server.kill()
                bench.results.add(NAME, f"{OBJECTS:,} objects, after SIGKILL", server.name, **first_answer(server))
                server.stop()
        server.data = empty


def first_answer(server):
    begin = time.perf_counter()
    server.spawn()
    while True:
        connection = http.client.HTTPConnection(server.address, timeout=SECONDS_MAX)
        try:
            connection.request("GET", "/counter/o4711/value")
            reply = connection.getresponse()
            reply.read()
            if reply.status == 200:
                return {"first_ms": (time.perf_counter() - begin) * 1e3}
        except OSError:
            pass
        finally:
            connection.close()
        if server.process.poll() is not None or time.perf_counter() - begin > SECONDS_MAX:
            raise servers.Missing(f"{server.name} does not start:\n{server.log_tail()}")
        time.sleep(0.0005)


def fill(bench):
    """Makes the store, unless it is there."""
    done = STORE / "done"
    if done.is_file():
        return
    bench.say(f"storing {OBJECTS:,} objects, once; this takes minutes")
    shutil.rmtree(STORE, ignore_errors=True)
    STORE.mkdir(parents=True)
    with bench.running([DOHOST]) as [server]:
        server.stop()
        server.data = STORE / "data"
        server.data.mkdir()
        server.start()
        sample = load.sample(server, load.INCREMENT, OBJECTS, CONNECTIONS, FILL_SECONDS_MAX, once=True)
        server.stop()
    if sample.requests < OBJECTS:
        raise load.Wrong(f"only {sample.requests:,} objects were stored in {FILL_SECONDS_MAX} s")
    done.write_text("")
