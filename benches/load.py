"""Load on one server: one sample of wrk with what it cost, and single requests for preparing and checking.

A sample is the unit of everything: a fixed time, one server, a number of connections, a number of objects. What the
server's processes used of the CPU meanwhile is read from their CPU clocks, which count nanoseconds and do not care who
else runs on the machine.
"""

import concurrent.futures
import dataclasses
import http.client
import json
import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).with_name("requests.lua")

# Threads that send single requests, for preparing and checking.
SENDERS = 16

# No reply takes this long unless something is broken.
REPLY_SECONDS_MAX = 30


class Wrong(Exception):
    """A server did something that no figure may be made of."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What an object is asked: /{kind}/o{index}/{what}, and how many bytes it is sent."""

    kind: str
    what: str
    body_bytes: int = 0


INCREMENT = Request("counter", "increment")
READ = Request("counter", "value")
ECHO = Request("bench", "echo")


@dataclasses.dataclass
class Sample:
    """What one server did in one sample."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    cpu_us: float  # of the server, for each request
    other_cores: float  # what neither the server nor wrk used: other programs, and the kernel's work for the disk

    @property
    def rate(self):
        return self.requests / self.seconds


def sample(server, request, objects, connections, seconds, seed=0, first=0, once=False):
    """Asks `objects` objects over `connections` connections for some seconds; with `once` until each was asked."""
    wrk = start(server, request, objects, connections, seconds, seed, first, once)
    server_before, machine_before = server.cpu_seconds(), machine_cpu_seconds()
    output = wrk.stdout.read().decode()
    _, status, usage = os.wait4(wrk.pid, 0)
    wrk.returncode = os.waitstatus_to_exitcode(status)
    server_cpu = server.cpu_seconds() - server_before
    other_cpu = machine_cpu_seconds() - machine_before - server_cpu - usage.ru_utime - usage.ru_stime
    result = read_result(server, wrk, output)
    if not result["requests"]:
        # One commit of a disk that others use can take longer than a sample.
        if seconds >= REPLY_SECONDS_MAX:
            raise Wrong(f"{server.name} answered nothing in {seconds} s\n{server.log_tail()}")
        return sample(server, request, objects, connections, seconds * 2, seed, first, once)
    return Sample(
        requests=result["requests"],
        seconds=result["seconds"],
        p50_ms=result["p50_ms"],
        p99_ms=result["p99_ms"],
        p999_ms=result["p999_ms"],
        cpu_us=server_cpu / result["requests"] * 1e6,
        other_cores=max(0.0, other_cpu / result["seconds"]),
    )


def start(server, request, objects, connections, seconds, seed=0, first=0, once=False):
    """wrk, running."""
    command = ["wrk", "--threads", "1", "--connections", connections, "--duration", f"{seconds}s"]
    command += ["--timeout", f"{REPLY_SECONDS_MAX}s", "--script", SCRIPT, server.url, "--"]
    command += ["once" if once else "random", request.kind, request.what, objects, first, seed, request.body_bytes]
    return subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def read_result(server, wrk, output):
    """What wrk's script printed."""
    if wrk.returncode != 0:
        raise Wrong(f"wrk failed on {server.name}:\n{output}")
    result = json.loads(output.splitlines()[-1])
    if result["refused"] or result["lost"]:
        raise Wrong(f"{server.name} did not answer every request with success: {result}\n{server.log_tail()}")
    return result


def machine_cpu_seconds():
    """CPU time of everything since the machine started."""
    user, nice, system, _idle, _iowait, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def create(server, counters):
    """Sends the first increment to each counter."""
    wrong = [value for value in ask_all(server, counters, "increment") if value != 1]
    if wrong:
        raise Wrong(f"{server.name}: the first increment of a new counter answered {wrong[0]}")


def total(server, counters):
    """The sum of all counters."""
    return sum(ask_all(server, counters, "value"))


def ask_all(server, counters, what):
    """Asks each counter once, from a few connections; the numbers it answered."""

    def ask_some(first):
        connection = http.client.HTTPConnection(server.address, timeout=REPLY_SECONDS_MAX)
        answers = [ask(connection, server, index, what) for index in range(first, counters, SENDERS)]
        connection.close()
        return answers

    with concurrent.futures.ThreadPoolExecutor(SENDERS) as senders:
        return [answer for answers in senders.map(ask_some, range(SENDERS)) for answer in answers]


def ask(connection, server, index, what):
    body = exchange(connection, server, "GET", f"/counter/o{index}/{what}").decode(errors="replace").strip()
    if not body.isdigit():
        raise Wrong(f"{server.name} answered {body!r} to {what}\n{server.log_tail()}")
    return int(body)


def exchange(connection, server, method, path, body=None):
    """One request; the body of its reply."""
    try:
        connection.request(method, path, body)
        reply = connection.getresponse()
        answer = reply.read()
    except (OSError, http.client.HTTPException) as error:
        raise Wrong(f"{server.name} broke off a request: {error}\n{server.log_tail()}") from None
    if reply.status != 200:
        raise Wrong(f"{server.name} answered {path} with {reply.status} {answer[:100]!r}\n{server.log_tail()}")
    return answer
