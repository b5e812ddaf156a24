"""What dohost is held to, and by how much it reaches or misses that. Ratios are of samples of the same round."""

import dataclasses
from typing import Callable


@dataclasses.dataclass
class Goal:
    text: str
    # What is wanted: at most so much, or at least.
    limit: float
    is_most: bool
    unit: str
    # Takes the results, gives a number, or None if a run does not tell.
    measured: Callable

    def is_reached(self, number):
        return number <= self.limit if self.is_most else number >= self.limit


def ratio(dimension, case, server, other, figure):
    return lambda results: results.ratio(dimension, case, server, other, figure)


def within(dimension, case, figure, other_case, other_figure):
    """How many times another figure of dohost itself."""

    def measured(results):
        figures = results.median(dimension, case, "dohost", figure), results.median(dimension, other_case, "dohost", other_figure)
        return figures[0] / figures[1] if all(figures) else None

    return measured


def one(dimension, case, figure):
    return lambda results: results.median(dimension, case, "dohost", figure)


def most(text, limit, measured, unit=" ×"):
    return Goal(text, limit, True, unit, measured)


def least(text, limit, measured, unit=" ×"):
    return Goal(text, limit, False, unit, measured)


ONE, THOUSAND = "1 object, 64 connections", "1,000 objects, 64 connections"
SINGLE, SINGLE_OF_THOUSAND = "1 object, 1 connection", "1,000 objects, 1 connection"
DISK, MEMORY = "workerd on disk", "workerd in memory"

GOALS = [
    most("increment, 1 object, 64 connections: CPU of the ceiling", 1.5, ratio("increments", ONE, "dohost", "ceiling", "cpu_us")),
    most("the same, 1,000 objects", 1.5, ratio("increments", THOUSAND, "dohost", "ceiling", "cpu_us")),
    least("increment, 1 object, 64 connections: rate of workerd on disk", 20, ratio("increments", ONE, "dohost", DISK, "rate")),
    least("the same, 1,000 objects", 20, ratio("increments", THOUSAND, "dohost", DISK, "rate")),
    most("increment, 1 object, 1 connection: p50 of the ceiling", 1.2, ratio("increments", SINGLE, "dohost", "ceiling", "p50_ms")),
    most("the same, 1,000 objects", 1.2, ratio("increments", SINGLE_OF_THOUSAND, "dohost", "ceiling", "p50_ms")),
    most("echo, 1 object, 64 connections: CPU of bare hyper", 2, ratio("echo", ONE, "dohost", "ceiling", "cpu_us")),
    most("the same, 1,000 objects", 2, ratio("echo", THOUSAND, "dohost", "ceiling", "cpu_us")),
    least("JavaScript counter, 64 connections: rate of workerd on disk", 10, ratio("increments", ONE, "dohost JavaScript", DISK, "rate")),
    most("the same: CPU of workerd in memory", 1, ratio("increments", ONE, "dohost JavaScript", MEMORY, "cpu_us")),
    least("first request to a new object: rate of workerd on disk", 20, ratio("cold", "64 connections", "dohost", DISK, "rate")),
    most("resident Rust object at 100,000", 48, one("memory", "100,000", "kib"), " KiB"),
    most("first answer, 1,000,000 objects: times an empty store", 2, within("start", "1,000,000 objects", "first_ms", "empty", "first_ms")),
    most("tail, 1,000 objects, 64 connections: p99 over p50", 5, within("increments", THOUSAND, "p99_ms", THOUSAND, "p50_ms")),
    most("p99 beside commits of 1 MiB: times that alone", 2, within("tail", "beside values of 1 MiB", "p99_ms", "alone", "p99_ms")),
]


def table(results):
    """Goals that the results tell about, in Markdown."""
    lines = ["| goal | wanted | measured | |", "| --- | ---: | ---: | --- |"]
    for goal in GOALS:
        number = goal.measured(results)
        if number is None:
            lines.append(f"| {goal.text} | {wanted(goal)} |  | not measured |")
            continue
        verdict = "reached" if goal.is_reached(number) else f"**missed by {missed_by(goal, number):.2f} ×**"
        lines.append(f"| {goal.text} | {wanted(goal)} | {number:,.3g}{goal.unit} | {verdict} |")
    return "\n".join(lines)


def wanted(goal):
    return f"{'at most' if goal.is_most else 'at least'} {goal.limit:g}{goal.unit}"


def missed_by(goal, number):
    """The factor that is missing."""
    return number / goal.limit if goal.is_most else goal.limit / number
