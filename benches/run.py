#!/usr/bin/env python3
"""dohost and its peers side by side, in one run. See README.md.

    python3 benches/run.py                     what a change may move, in a minute
    python3 benches/run.py --only cold         one dimension
    python3 benches/run.py --full              all dimensions, for figures that are published

Tables are printed; they, a plot for each dimension and all samples are in target/bench/report.
"""

import argparse
import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # nothing is left beside the sources

import benchmark
import dimensions
import goals
import report
import servers
from results import Results

# What the short run measures.
SHORT = ["increments", "echo", "cold"]


def main():
    arguments = parse()
    if arguments.again:
        return show_again(arguments)
    return benchmark.run(lambda run_directory: work(arguments, run_directory))


def parse():
    parser = argparse.ArgumentParser(description="Compares dohost with its peers. See benches/README.md.")
    parser.add_argument("--full", action="store_true", help="all dimensions and cases, longer samples, more rounds")
    choices, text = list(dimensions.ALL), f"one of {', '.join(dimensions.ALL)}; may be given many times"
    parser.add_argument("--only", action="append", choices=choices, metavar="DIMENSION", help=text)
    parser.add_argument("--rounds", type=int, metavar="N", help="samples of each case and server [2, full: 5]")
    parser.add_argument("--seconds", type=int, metavar="N", help="length of a sample [1, full: 2]")
    text = "leave a peer out; may be given twice"
    parser.add_argument("--without", action="append", default=[], choices=["workerd", "ceiling"], help=text)
    text = "how dohost is built: as it is installed, the same after a training, or sooner [release, full: dist]"
    parser.add_argument("--profile", choices=list(servers.BUILDS), help=text)
    parser.add_argument("--dohost", type=Path, metavar="FILE", help="use this binary instead of building one")
    parser.add_argument("--guests", type=Path, metavar="DIRECTORY", help="use these guests instead of building them")
    default = servers.BUILT / "report"
    parser.add_argument("--report", type=Path, default=default, metavar="DIRECTORY", help="write the report there")
    parser.add_argument("--again", action="store_true", help="write and print the report again, from its results.json")
    arguments = parser.parse_args()
    arguments.profile = arguments.profile or ("dist" if arguments.full else "release")
    arguments.rounds = arguments.rounds or (5 if arguments.full else 2)
    arguments.seconds = arguments.seconds or (2 if arguments.full else 1)
    return arguments


def work(arguments, run_directory):
    benchmark.check_machine(run_directory)
    print("building", file=sys.stderr, flush=True)
    bench = benchmark.Bench(arguments, run_directory)
    wanted = arguments.only or (list(dimensions.ALL) if arguments.full else SHORT)
    print(f"\n{report.head(arguments)}", flush=True)
    for name in wanted:
        try:
            dimensions.ALL[name].measure(bench)
        finally:
            # A run of an hour that ends with an error has told something.
            report.write(bench.results, arguments.report, report.head(arguments) + report.noise(bench.results))
        print(f"\n{report.section(bench.results, name)}", flush=True)
    show_end(bench.results, arguments)


def show_end(results, arguments):
    print(f"\n{goals.table(results)}\n")
    print(f"{report.noise(results).strip()} Plots and samples are in {arguments.report}.")


def show_again(arguments):
    data = json.loads((arguments.report / "results.json").read_text())
    results = Results.from_json(data)
    report.write(results, arguments.report, data["head"])
    print((arguments.report / "report.md").read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
