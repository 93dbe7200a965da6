"""A clock that only moves when a test says so."""

from __future__ import annotations


class FakeClock:
    """Epoch seconds that stand still: the `clock` of a middleware or store in a test."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self.now = start

    def __call__(self) -> float:
        """The time."""
        return self.now

    def __repr__(self) -> str:
        return f"FakeClock({self.now!r})"

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; negative ones are a clock that was set back."""
        self.now += seconds

    def set(self, now: float) -> None:
        """Make it `now`, in epoch seconds."""
        self.now = now
