"""What was measured: for each dimension, case and server a list of samples, and medians and ratios of those."""

import dataclasses
from statistics import median

# What a sample has: its name, how a table calls it and how many digits it has there.
FIGURES = {
    "rate": ("per second", 0),
    "p50_ms": ("p50 ms", 2),
    "p99_ms": ("p99 ms", 2),
    "p999_ms": ("p99.9 ms", 1),
    "max_ms": ("max ms", 1),
    "cpu_us": ("CPU µs", 1),
    "kib": ("KiB each", 1),
    "count": ("objects", 0),
    "first_ms": ("first answer ms", 1),
    "build_s": ("build, CPU s", 1),
    "compile_s": ("compile, CPU s", 1),
    "start_ms": ("start, CPU ms", 2),
}


@dataclasses.dataclass
class Results:
    # By (dimension, case, server), in the order in which they came: samples, each a dict of figures.
    samples: dict = dataclasses.field(default_factory=dict)
    # Cores that something else took, for each sample of wrk.
    others: list = dataclasses.field(default_factory=list)
    # What a reader has to know beside the numbers, for each dimension.
    notes: dict = dataclasses.field(default_factory=dict)

    def add(self, dimension, case, server, **figures):
        assert set(figures) <= set(FIGURES), figures
        self.samples.setdefault((dimension, case, server), []).append(figures)

    def add_sample(self, dimension, case, server, sample):
        """A sample of load.py."""
        names = ("rate", "p50_ms", "p99_ms", "p999_ms", "cpu_us")
        self.add(dimension, case, server, **{name: getattr(sample, name) for name in names})
        self.others.append(sample.other_cores)

    def note(self, dimension, text):
        self.notes.setdefault(dimension, []).append(text)

    def dimensions(self):
        return unique(dimension for dimension, _, _ in self.samples)

    def cases(self, wanted):
        return unique(case for dimension, case, _ in self.samples if dimension == wanted)

    def servers(self, wanted):
        return unique(server for dimension, _, server in self.samples if dimension == wanted)

    def figures(self, wanted):
        """The figures that any sample of a dimension has."""
        had = {name for (dimension, _, _), row in self.samples.items() if dimension == wanted for each in row for name in each}
        return [name for name in FIGURES if name in had]

    def median(self, dimension, case, server, figure):
        """None if it was not measured."""
        numbers = [each[figure] for each in self.samples.get((dimension, case, server), []) if figure in each]
        return median(numbers) if numbers else None

    def ratio(self, dimension, case, server, other, figure):
        """How many times the figure of another a server has: the median of the rounds, as machines change from one to the next."""
        ours = self.samples.get((dimension, case, server), [])
        theirs = self.samples.get((dimension, case, other), [])
        pairs = [(our, their) for our, their in zip(ours, theirs) if figure in our and their.get(figure)]
        return median(our[figure] / their[figure] for our, their in pairs) if pairs else None

    def as_json(self):
        rows = [
            {"dimension": dimension, "case": case, "server": server, "samples": samples}
            for (dimension, case, server), samples in self.samples.items()
        ]
        return {"results": rows, "notes": self.notes, "other_cores": self.others}

    @classmethod
    def from_json(cls, data):
        samples = {(row["dimension"], row["case"], row["server"]): row["samples"] for row in data["results"]}
        return cls(samples=samples, notes=data["notes"], others=data["other_cores"])


def unique(items):
    return list(dict.fromkeys(items))
