"""What a read costs as one thing grows: cookies, secrets, data, sessions in the store, attacks.

All of it under ASGI, where Starlette's can be beside us; the app reads `session["user"]`, or
writes `session["visits"]` where the curve says so. Else as in requests.py: in-process, the bare
app's time subtracted.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from bench.inputs import SECRET, SMALL, among, hostile, weighing
from bench.other import Other
from bench.race import Runner, clock
from bench.requests import (
    SCOPE_KEY,
    SPOKEN,
    Call,
    Wrap,
    asgi_app,
    asgi_cookie,
    asgi_loop,
    begun,
    floor_table,
    floor_wrap,
    forge,
    header,
    no_floor,
    recall,
    receive,
    scope,
    starlette_wrap,
    write,
)
from sessfast import BACKEND, MemoryStore

ASGI = SPOKEN["asgi"]
VISITED = 20_000  # sessions that are asked for, at least: more than a core's own caches hold
BROWSER_LIMIT = 4096  # characters of a cookie; a longer one doesn't come back
MOST = 5000


class Curve(NamedTuple):
    """What grows.

    xs:   how far
    peer: whether Starlette's has anything to do with it
    """

    unit: str
    xs: Sequence[int]
    peer: bool = False


CURVES = {
    "cookies": Curve("cookies", (1, 5, 20, 50), peer=True),
    "secrets": Curve("secrets", (1, 3, 10)),
    "secrets, forged": Curve("secrets", (1, 3, 10)),
    "payload, read": Curve("bytes", (100, 1024, 4096, 16384, 65536), peer=True),
    "payload, write": Curve("bytes", (100, 1024, 4096, 16384, 65536), peer=True),
    "sessions": Curve("sessions", (1000, 10_000, 100_000, 1_000_000)),
    "hostile header": Curve("bytes", (1024, 2048, 4096, 8192)),
}


class Point(NamedTuple):
    """One place on one curve."""

    curve: str
    x: int

    @property
    def name(self) -> str:
        return f"{self.curve}: {self.x}"

    @property
    def secrets(self) -> list[str]:
        """The newest first; the cookies are signed by the last."""
        count = self.x if self.curve.startswith("secrets") else 1
        return [*(f"{SECRET} {n}" for n in range(count - 1)), SECRET]

    @property
    def data(self) -> dict[str, Any]:
        return weighing(self.x) if self.curve.startswith("payload") else SMALL

    @property
    def action(self) -> Callable[[Any], object]:
        return write if self.curve == "payload, write" else recall

    def header(self, pair: str) -> str:
        """The Cookie header of a request that carries this cookie."""
        if self.curve == "secrets, forged":
            pair = forge(pair)
        if self.curve == "cookies":
            return among(self.x, pair)
        return hostile(self.x, pair) if self.curve == "hostile header" else header(pair)


class Side(NamedTuple):
    """A middleware and its store.

    oldest: the same with the last of the secrets alone
    fill:   puts that many sessions there which nobody asks for
    """

    wrap: Wrap
    oldest: Wrap
    fill: Callable[[int], None]
    marks: bool = False


def our_side(point: Point) -> Side:
    store = MemoryStore(max_entries=2_000_000, max_bytes=1 << 40)
    bits = random.Random(2).randbytes
    wrap = partial(ASGI.middleware, store=store, max_session_bytes=1 << 20)

    def fill(count: int) -> None:
        _, (blob, _, _) = next(iter(store.all()))
        for _ in range(count):
            store.create(bits(16).hex(), blob, 1800.0)

    return Side(partial(wrap, secret=point.secrets), partial(wrap, secret=SECRET), fill)


def floor_side(point: Point) -> Side:
    table = floor_table()
    bits = random.Random(2).randbytes

    def fill(count: int) -> None:
        [key], _ = table.keys(0, 1, 0.0)
        blob, _, expires = table.peek(key, 0.0)
        for _ in range(count):
            table.create(bits(16).hex(), blob, expires, 0.0)

    return Side(floor_wrap(ASGI, table, point.secrets), floor_wrap(ASGI, table), fill)


def starlettes_side(point: Point) -> Side:
    return Side(starlette_wrap, starlette_wrap, lambda count: None, marks=True)


def behind(side: Callable[[Point], Side], point: Point) -> Call:
    """The point's app behind a middleware, which was seen to find the session."""
    wrap, oldest, fill, marks = side(point)
    app = wrap(asgi_app(point.action, marks))
    if point.curve == "sessions":
        pairs = populated(point.x, oldest, fill)
        check(point, wrap(asgi_app(None)), wrap, marks, pairs[-1])
        return visiting(app, pairs)
    pair = begun(ASGI, oldest, point.data)
    check(point, app, wrap, marks, pair)
    return asgi_loop(app, point.header(pair))


def bare(point: Point) -> Call:
    """The app that finds a plain dict in place of a session."""
    oldest = our_side(point).oldest
    app = asgi_app(point.action)
    if point.curve == "sessions":
        return visiting(app, populated(1000, oldest, lambda count: None), dict(SMALL))
    return asgi_loop(app, point.header(begun(ASGI, oldest, point.data)), dict(point.data))


def populated(count: int, wrap: Wrap, fill: Callable[[int], None]) -> list[str]:
    """Cookies of sessions in a store that holds `count`; others lie between theirs in memory."""
    app = wrap(asgi_app(lambda session: session.update(SMALL)))
    visited = min(count, max(VISITED, count // 10))
    between, pairs = count // visited - 1, []
    for _ in range(visited):
        made = asgi_cookie(app)
        assert made is not None
        pairs.append(made.partition(";")[0])
        if between:
            fill(between)
    return pairs


def visiting(app: Any, pairs: Sequence[str], session: Any = None) -> Call:
    """A loop in which each request carries another cookie, as fresh as from a socket."""
    template = scope("")
    if session is not None:
        template[SCOPE_KEY] = session
    choices = random.Random(3).choices

    async def send(message: Any) -> None:
        pass

    def run(calls: int) -> float:
        arrived = [scope(header(pair))["headers"] for pair in choices(pairs, k=calls)]
        start = clock()
        for headers in arrived:
            own = dict(template)
            own["headers"] = headers
            try:
                app(own, receive, send).send(None)
            except StopIteration:
                continue
            raise AssertionError("a request waited")
        return clock() - start

    return run


def check(point: Point, app: Any, wrap: Wrap, marks: bool, pair: str) -> None:
    """Refuse to measure a middleware that doesn't find the session, or finds a forged one."""
    seen: list[Any] = []
    asgi_cookie(app, point.header(pair))
    asgi_cookie(wrap(asgi_app(lambda s: seen.append(s.get("user")), marks)), point.header(pair))
    expected = None if point.curve == "secrets, forged" else "ada"
    if seen != [expected]:
        raise AssertionError(f"{point.name}: the session's user is {seen[0]}, not {expected}")


def fits(point: Point) -> bool:
    """Whether a browser would keep Starlette's cookie, which carries the session's data."""
    return len(begun(ASGI, starlette_wrap, point.data)) <= BROWSER_LIMIT


def runners(point: Point, pure: Other | None) -> list[Runner]:
    """All contestants of one point; `bare` serves as the zero of the others."""
    made = [Runner("bare", bare(point), MOST), Runner(BACKEND, behind(our_side, point), MOST)]
    if not no_floor():
        made.append(Runner("floor", behind(floor_side, point), MOST))
    if pure is not None:
        made.append(Runner("pure bare", pure.call("curves", "bare", point), MOST))
        made.append(Runner("pure", pure.call("curves", "ours", point), MOST))
    if CURVES[point.curve].peer and fits(point):
        made.append(Runner("starlette", behind(starlettes_side, point), MOST))
    return made


WHO: dict[str, Callable[[Sequence[Any]], Call]] = {
    "bare": lambda parts: bare(Point(*parts)),
    "ours": lambda parts: behind(our_side, Point(*parts)),
}
