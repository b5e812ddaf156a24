"""From samples to tables: medians of each server, and ratios that were taken within one round."""

from statistics import median

# What dohost is held to, at 64 connections: (counters, times workerd's rate on disk), and CPU for each request.
TARGET_CONNECTIONS = 64
TARGET_RATIOS = {1: 10, 200: 20}
TARGET_CPU_US_MAX = 40


def table(samples, names):
    """Markdown. `samples` has a list of one sample per round under (counters, connections, name of the server)."""
    lines = [
        "| counters | connections | server | per second | p50 ms | p99 ms | CPU µs | dohost is |",
        "| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    cases = sorted({case[:2] for case in samples})
    for counters, connections in cases:
        for name in names:
            row = samples[counters, connections, name]
            rate, p50, p99, cpu = (median(values(row, field)) for field in ("rate", "p50_ms", "p99_ms", "cpu_us"))
            times = ratio(samples, counters, connections, name)
            lines.append(
                f"| {counters:,} | {connections} | {name} | {rate:,.0f} | {p50:.2f} | {p99:.1f} | {cpu:.0f} | {times} |"
            )
    return "\n".join(lines)


def ratio(samples, counters, connections, name):
    number = ratio_number(samples, counters, connections, name)
    return "" if number is None or name == "dohost" else f"{number:.2g} ×" if number < 10 else f"{number:.0f} ×"


def ratio_number(samples, counters, connections, name):
    """How many times the rate of a server dohost has: the median of the rounds."""
    ours, theirs = samples.get((counters, connections, "dohost")), samples.get((counters, connections, name))
    if not ours or not theirs:
        return None
    return median(our.rate / their.rate for our, their in zip(ours, theirs, strict=True))


def verdicts(samples):
    """One line for each target that the run can tell about."""
    lines = []
    for counters, wanted in TARGET_RATIOS.items():
        times = ratio_number(samples, counters, TARGET_CONNECTIONS, "workerd on disk")
        if times is not None:
            text = f"{counters:,} counters: {times:.0f} × workerd on disk, {wanted} wanted"
            lines.append(verdict(times >= wanted, text))
    for (counters, connections, name), row in sorted(samples.items()):
        if name == "dohost" and connections == TARGET_CONNECTIONS:
            cpu = median(values(row, "cpu_us"))
            text = f"{counters:,} counters: {cpu:.1f} µs of CPU for each request, under {TARGET_CPU_US_MAX} wanted"
            lines.append(verdict(cpu < TARGET_CPU_US_MAX, text))
    return "\n".join(lines)


def verdict(is_met, text):
    return f"{'met   ' if is_met else 'MISSED'} at {TARGET_CONNECTIONS} connections, {text}"


def noise(samples, other_cores_max):
    """How busy the machine was with other things."""
    others = [sample.other_cores for row in samples.values() for sample in row]
    disturbed = sum(cores > other_cores_max for cores in others)
    text = f"Everything else on the machine used {median(others):.2f} cores (median)"
    return f"{text}; more than {other_cores_max} in {disturbed} of {len(others)} samples."


def values(row, field):
    return [getattr(sample, field) for sample in row]
