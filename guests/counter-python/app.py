"""A counter in Python. Every name is a counter of its own, with its own store.

The module `wit_world` is made from `wit/` by componentize-py: `imports` is what the host has, `WitWorld` and `exports`
what it calls. The types of an editor come from `componentize-py -d wit -w counter bindings .`
"""

import wit_world
from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import storage
from wit_world.imports.types import Header, Request, Response

COUNT_MAX = 2**63 - 1


async def read() -> int:
    """What was counted so far; 0 if nothing was ever counted."""
    stored = await call(storage.get("count"))
    try:
        return 0 if stored is None else int(stored)
    except ValueError:
        raise Err("the stored count is not a number") from None


async def add(amount: int) -> int:
    """Adds to the counter and gives its new value.

    Read, add, write: needs no lock. While the object waits for its storage no other request gets in between, so no
    count is lost. And the write needs no waiting: the reply leaves only once the new value is on disk.
    """
    count = await read() + amount
    if count > COUNT_MAX:
        raise Err("the counter is full")
    await call(storage.put("count", str(count).encode()))
    return count


async def call(waiting):
    """Waits for a storage call; what the host refused becomes our exception, in the host's words."""
    try:
        return await waiting
    except Err as refused:
        raise Err(refused.value.value) from None


class WitWorld(wit_world.WitWorld):
    """The methods."""

    async def increment(self, by: int | None) -> int:
        return await add(1 if by is None else by)

    async def value(self) -> int:
        return await read()


class Handler(exports.Handler):
    """HTTP."""

    async def fetch(self, request: Request) -> Response:
        match request.path:
            case "/" | "/value":
                return text(200, str(await read()))
            case "/increment":
                return text(200, str(await add(1)))
            case "/decrement":
                return text(200, str(await add(-1)))
            case _:
                return text(404, "Not found")


def text(status: int, body: str) -> Response:
    return Response(status, [Header("content-type", b"text/plain")], body.encode())
