"""The timer of all our pytest-benchmark rows: a tape of what race.py measured.

pytest-benchmark times one function after the other and knows no turns. So the turns are taken
in race.py, and each row is played back, with the measured seconds per call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Tape:
    """A clock that only moves by what was measured."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        """Seconds played so far."""
        return self.now

    def play(self, benchmark: Any, seconds: Sequence[float]) -> None:
        """Let the fixture `benchmark` time these durations."""
        rest = iter(seconds)

        def advance() -> None:
            self.now += next(rest)

        benchmark.pedantic(advance, rounds=len(seconds))


TAPE = Tape()
