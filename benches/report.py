"""From results to tables in Markdown, and a directory with those, the plots and the samples."""

import datetime
import json
import os
import subprocess
from statistics import median

import goals
import plot
import servers
from results import FIGURES

# A sample during which everything else on the machine used more cores than this is disturbed.
OTHER_CORES_MAX = 0.25


def write(results, directory, head):
    """`results.json`, `report.md` and a plot for each dimension."""
    directory.mkdir(parents=True, exist_ok=True)
    data = {"head": head, **results.as_json()}
    (directory / "results.json").write_text(json.dumps(data, indent=1))
    parts = [f"# Measured\n\n{head}"]
    for dimension in results.dimensions():
        parts.append(section(results, dimension))
        drawing = plot.draw(results, dimension)
        if drawing:
            (directory / f"{dimension}.svg").write_text(drawing)
            parts.append(f"![{dimension}]({dimension}.svg)")
    parts.append(f"## Goals\n\n{goals.table(results)}")
    (directory / "report.md").write_text("\n\n".join(parts) + "\n")


def section(results, dimension):
    notes = "".join(f"\n\n{note}" for note in results.notes.get(dimension, []))
    return f"## {dimension.capitalize()}\n\n{table(results, dimension)}{notes}"


def table(results, dimension):
    """A line for each case and server. `dohost is` has how many times the rate of that server."""
    figures, cases, names = results.figures(dimension), results.cases(dimension), results.servers(dimension)
    compares = "rate" in figures and "dohost" in names and len(names) > 1
    head = ["case", "server", *(FIGURES[figure][0] for figure in figures)] + (["dohost is"] if compares else [])
    lines = [f"| {' | '.join(head)} |", f"| --- | --- |{' ---: |' * (len(head) - 2)}"]
    for case in cases:
        for name in names:
            if (dimension, case, name) not in results.samples:
                continue
            cells = [case, name, *(number(results.median(dimension, case, name, each), FIGURES[each][1]) for each in figures)]
            if compares:
                cells.append("" if name == "dohost" else times(results.ratio(dimension, case, "dohost", name, "rate")))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def number(value, digits):
    return "" if value is None else f"{value:,.{digits}f}"


def times(value):
    return "" if value is None else f"{value:.2g} ×" if value < 10 else f"{value:,.0f} ×"


def head(arguments):
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=servers.ROOT, capture_output=True, text=True)
    commit = git.stdout.strip() or "an unknown commit"
    kind = "--full, " if arguments.full else ""
    profile = arguments.dohost or f"profile {arguments.profile}"
    what = f"{kind}{arguments.rounds} rounds of {arguments.seconds} s samples"
    return f"{datetime.date.today()}, {os.cpu_count()} cores, dohost at {commit} ({profile}), {what}."


def noise(results):
    """How busy the machine was with other things."""
    others = results.others
    if not others:
        return ""
    disturbed = sum(cores > OTHER_CORES_MAX for cores in others)
    text = f" Everything else on the machine used {median(others):.2f} cores (median)"
    return f"{text}; more than {OTHER_CORES_MAX} in {disturbed} of {len(others)} samples."
