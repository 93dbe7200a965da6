"""The contract with a sample of the interleavings, where another class runs them all.

What two requests do to a record in which order is the server's business and the layout's; a
second client or a second kind of server needs no proof by thousands. SESSFAST_SOAK=1: all.
"""

from __future__ import annotations

import os
from typing import ClassVar

from sessfast.testing import StoreContract


class Sampled(StoreContract):
    """Every `every`-th meeting of two requests takes place."""

    every: ClassVar[int] = 1 if os.environ.get("SESSFAST_SOAK") == "1" else 17
    met = 0

    def _meet(self, schedule: list[tuple[int, str]]) -> None:
        self.met += 1
        if self.met % self.every == 0:
            super()._meet(schedule)
