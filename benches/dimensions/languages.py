"""The same counter in each guest language. See ../languages.py, which also tells how long they take to build."""

import argparse

import languages as script
import servers

NAME = "languages"


def measure(bench):
    arguments = argparse.Namespace(without_build=True, seconds=bench.seconds)
    wanted = script.LANGUAGES if bench.full else ["counter", "counter-javascript"]
    start_seconds_max, servers.START_SECONDS_MAX = servers.START_SECONDS_MAX, script.START_SECONDS_MAX
    for name in wanted:
        bench.say(f"counter: {script.LANGUAGES[name].label}")
        if name != "counter-javascript" and not (script.GUESTS / f"{name}.wasm").is_file():
            bench.results.note(NAME, f"There is no {name}: `cargo xtask languages`.")
            continue
        cells = dict(zip(script.HEAD, script.row(name, bench.tools.dohost, bench.run_directory, arguments)))
        figures = {figure: float(cells[head].replace(",", "")) for head, figure in FIGURES.items()}
        bench.results.add(NAME, cells["language"], "dohost", **figures)
    servers.START_SECONDS_MAX = start_seconds_max


# Of a column of the script.
FIGURES = {
    "per second": "rate",
    "increment, CPU µs": "cpu_us",
    "start, CPU ms": "start_ms",
    "compile, CPU s": "compile_s",
    "KiB each": "kib",
}
