"""The servers that are compared: getting them, starting them in a directory of their own, and ending them.

All answer what guests/counter and guests/bench answer. Whatever is built or installed stays under target/bench;
whatever they store is in the directory of the run.
"""

import contextlib
import functools
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

BENCHES = Path(__file__).parent
ROOT = BENCHES.parent
BUILT = ROOT / "target" / "bench"

# A server that has not answered by then does not start.
START_SECONDS_MAX = 30

# What a failure shows of a server's log.
LOG_TAIL_BYTES = 2_000


class Missing(Exception):
    """Something that the benchmarks need is not there. Says what to do."""


class Server:
    """A server under test: what it is called, how it is started, and the process when it runs."""

    def __init__(self, name, command, is_durable=True):
        """`command` makes the command line from a port and a data directory."""
        self.name = name
        self.is_durable = is_durable
        self.process = None
        self._command = command

    def prepare(self, run_directory):
        """Gives it its place and its port."""
        self.data = run_directory / f"{self.name.replace(' ', '-')}-data"
        self.data.mkdir()
        self._log = self.data.with_suffix(".log")
        self._port = free_port()
        self.address = f"127.0.0.1:{self._port}"
        self.url = f"http://{self.address}"

    def spawn(self):
        """Starts it, on the data that it left if it ran before."""
        command = [str(part) for part in self._command(self._port, self.data)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self):
        """Starts it and waits until it answers."""
        self.spawn()
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Missing(f"{self.name} does not start:\n{self.log_tail()}")
            time.sleep(0.01)

    def _answers(self):
        connection = http.client.HTTPConnection(self.address, timeout=1)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status > 0
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def kill(self):
        """Ends it the hard way; nothing is left of it but what it stored."""
        if self.process is None:
            return
        for pid in process_tree(self.process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.process = None

    def stop(self):
        """Ends it as an operator does, and waits for it."""
        self.process.terminate()
        self.process.wait(START_SECONDS_MAX)
        self.process = None

    def resident_kib(self):
        """Memory of its processes."""
        statuses = (Path(f"/proc/{pid}/status").read_text() for pid in process_tree(self.process.pid))
        return sum(int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) for status in statuses)

    def cpu_seconds(self):
        """CPU time of its processes, threads that have ended included."""
        # The kernel's number for the CPU clock of a process, see clock_getcpuclockid(3).
        return sum(time.clock_gettime((~pid << 3) | 2) for pid in process_tree(self.process.pid))

    def log_tail(self):
        log = self._log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
        return f"its log says:\n{log}" if log else "its log is empty"


def process_tree(pid):
    """A process and its descendants."""
    children = [int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in read_words(task)]
    return [pid] + [descendant for child in children for descendant in process_tree(child)]


def read_words(path):
    try:
        return path.read_text().split()
    except OSError:
        return []


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# The servers that are compared, as tables call them.
DOHOST, JAVASCRIPT = "dohost", "dohost JavaScript"
DISK, MEMORY = "workerd on disk", "workerd in memory"
CEILING = "ceiling"


class Tools:
    """What servers are started with; what is not given is built. Runs copies: a build meanwhile does no harm."""

    def __init__(self, run_directory, dohost=None, guests=None, profile="dist"):
        self._directory = run_directory
        dohost = dohost or build_dohost(profile)
        if guests is None:
            run(["cargo", "xtask", "guests"], ROOT)
            guests = ROOT / "target" / "guests"
        self.guests = guests
        self.dohost = self._copy(dohost)
        self.counter, self.bench = (self._copy(guests / f"{name}.wasm") for name in ("counter", "bench"))

    def _copy(self, file):
        if not Path(file).is_file():
            raise Missing(f"there is no file {file}")
        return shutil.copy2(file, self._directory)

    def server(self, name, *options):
        """The server of a name. Options are of dohost."""
        if name in (DISK, MEMORY):
            return workerd(name, "disk" if name == DISK else "memory")
        if name == CEILING:
            return ceiling()
        classes = [self.counter, self.bench]
        if name == JAVASCRIPT:
            classes = ["--class", f"counter={ROOT / 'tests' / 'programs' / 'documented.js'}#Counter"]

        def command(port, data):
            # Objects stay resident for the whole run, as they do in the other servers.
            where = ["--listen", f"127.0.0.1:{port}", "--data-dir", data]
            return [self.dohost, "serve", *classes, *where, "--idle-timeout", "1h", *options]

        return Server(name, command)


# The ways to build dohost, each with its command and where the binary is then, below target: as it is installed, the same trained
# before, and sooner.
BUILDS = {
    "dist": (["cargo", "xtask", "dist"], "dist"),
    "trained": (["cargo", "xtask", "dist", "--trained"], "dist"),
    "release": (["cargo", "build", "--release", "--workspace"], "release"),
}


def build_dohost(profile="dist"):
    """The dohost of this checkout."""
    command, folder = BUILDS[profile]
    run(command, ROOT)
    return ROOT / "target" / folder / "dohost"


@contextlib.contextmanager
def running(contestants, directory):
    """Starts servers in a directory of their own, and ends them."""
    directory.mkdir(exist_ok=True)
    started = []
    try:
        for server in contestants:
            server.prepare(directory)
            started.append(server)
            server.start()
        yield contestants
    finally:
        for server in started:
            server.kill()
        shutil.rmtree(directory, ignore_errors=True)


def workerd(name, storage):
    """workerd with `storage` "disk" or "memory"."""
    binary, config = workerd_binary(), BENCHES / "workerd" / "config.capnp"

    def command(port, data):
        arguments = [binary, "serve", config, storage, "--socket-addr", f"http=127.0.0.1:{port}"]
        return arguments + (["--directory-path", f"objects={data}"] if storage == "disk" else [])

    return Server(name, command, is_durable=storage == "disk")


@functools.cache
def workerd_binary():
    """From npm, if it is not there yet."""
    directory = BUILT / "workerd"
    wanted = BENCHES / "workerd" / "package.json"
    installed = directory / "installed.json"
    if not installed.is_file() or installed.read_bytes() != wanted.read_bytes():
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copy(wanted, directory / "package.json")
        run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund"], directory)
        shutil.copy(wanted, installed)
    binary = run(["node", "--print", "require('workerd').default"], directory).strip()
    if not os.access(binary, os.X_OK):
        raise Missing(f"npm brought no workerd for this machine ({binary}); remove {directory} to try again")
    return binary


def ceiling():
    """hyper and redb without anything between."""
    binary = ceiling_binary()
    return Server(CEILING, lambda port, data: [binary, f"127.0.0.1:{port}", data])


@functools.cache
def ceiling_binary():
    target = BUILT / "ceiling"
    run(["cargo", "build", "--release", "--target-dir", target], BENCHES / "ceiling")
    return target / "release" / "ceiling"


def need(program, help):
    if shutil.which(program) is None:
        raise Missing(f"{program} is not installed\n  help: {help}")


HELP = {
    "cargo": "https://rustup.rs",
    "node": "apt-get install nodejs, or https://nodejs.org; --without workerd does without",
    "npm": "apt-get install npm, or https://nodejs.org; --without workerd does without",
    "wrk": "apt-get install wrk",
}


def run(command, directory):
    """Runs a program to its end; its output."""
    need(command[0], HELP.get(str(command[0]), "it was just there"))
    done = subprocess.run([str(part) for part in command], cwd=directory, capture_output=True, text=True)
    if done.returncode != 0:
        text = " ".join(str(part) for part in command)
        raise Missing(f"{text} failed:\n{(done.stdout + done.stderr).strip()[-LOG_TAIL_BYTES:]}")
    return done.stdout
