"""What is measured: each dimension is a module with `measure(bench)`, which adds to `bench.results` under the module's name."""

from dimensions import cold, echo, increments, languages, memory, reads, start, tail, values, websockets

ALL = {
    module.NAME: module
    for module in (increments, echo, reads, values, cold, tail, start, memory, websockets, languages)
}
