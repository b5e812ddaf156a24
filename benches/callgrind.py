"""What callgrind wrote: how many instructions each thread took in which functions, without what they called."""

import re

# What a function belongs to, by the first of these that its name has.
OWNERS = [
    ("guest", r"0x[0-9a-f]+$"),  # what wasmtime compiled has no names here
    ("malloc", r"_?mi_|malloc|free$|realloc$"),
    ("memory", r"__?mem(cpy|move|set|cmp|chr)|__bcmp"),
    ("dohost", r".*\bdohost_?\w*::"),
    ("wasmtime", r".*\b(wasmtime\w*|cranelift\w*)::"),
    ("redb", r".*\bredb::"),
    ("HTTP", r".*\b(hyper|hyper_util|http|http_body\w*|httparse|httpdate)::"),
    ("tokio", r".*\b(tokio\w*|mio|futures_\w+)::"),
    ("Rust's std", r".*\b(core|alloc|std|hashbrown)::"),
]

# Code for processors that have no instructions for SHA: valgrind's has none, those that anybody serves on do.
LEFT_OUT = "sha2::sha256::soft::"

# "fn=(12) name", and from then on only "fn=(12)".
FUNCTION = re.compile(r"fn=\((\d+)\)(?: (.*))?")


class Thread:
    """The instructions of one thread in each function."""

    def __init__(self, text):
        self.functions = {}
        names, function, is_call = {}, None, False
        for line in text.splitlines():
            if line.startswith("fn="):
                number, name = FUNCTION.match(line).groups()
                function = names.setdefault(number, name)
            elif line.startswith("cfn="):
                number, name = FUNCTION.match(line[1:]).groups()
                names.setdefault(number, name)
            elif line.startswith("calls="):
                is_call = True  # the next line has what was called
            elif line[:1] in "0123456789+-*" and line:
                if not is_call and function is not None:
                    self.functions[function] = self.functions.get(function, 0) + int(line.split()[-1])
                is_call = False
        for name in [name for name in self.functions if name.startswith(LEFT_OUT)]:
            del self.functions[name]

    @property
    def instructions(self):
        return sum(self.functions.values())

    def is_running(self, part):
        """Whether a function with this in its name was running."""
        return any(part in name for name in self.functions)


def by_owner(functions):
    """Instructions of each owner, most first."""
    sums = {}
    for name, instructions in functions.items():
        owner = next((owner for owner, pattern in OWNERS if re.match(pattern, name)), "other")
        sums[owner] = sums.get(owner, 0) + instructions
    return sorted(sums.items(), key=lambda item: -item[1])
