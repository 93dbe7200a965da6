"""Who hears of events: the observer of the options, and the `sessfast` logger at DEBUG."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sessfast.hotpath import take_over
from sessfast.records import Tell

DEBUG = logging.DEBUG


class Report:
    """Passes events on; `listener()` is None while nobody listens, so that silence is cheap."""

    def __init__(self, observer: Tell | None) -> None:
        self.observer = observer
        self.logger = logging.getLogger("sessfast")
        self._enabled = self.logger.isEnabledFor
        # where isEnabledFor keeps its answers; logging empties it in place when a level changes
        self._answers: dict[int, bool] = getattr(self.logger, "_cache", {})

    def is_heard(self) -> bool:
        """Whether anybody listens right now."""
        if self.observer is not None:
            return True
        return self._answers.get(DEBUG, True) and self._enabled(DEBUG)

    def listener(self) -> Tell | None:
        """Whom to tell right now."""
        return self.tell if self.is_heard() else None

    def tell(self, event: str, facts: Mapping[str, Any]) -> None:
        """Tell observer and logger. An observer's exception is logged, never the client's."""
        if self._enabled(DEBUG):
            text = " ".join(f"{name}={clean(value)}" for name, value in facts.items())
            self.logger.debug("%s %s", event, text)
        if self.observer is not None:
            try:
                self.observer(event, facts)
            except Exception:
                self.logger.exception("the observer failed on %s", event)


def clean(value: object) -> str:
    """`value` for a log line: one word, no control characters, at most 64 characters (R-73)."""
    text = str(value)[:64]
    plain = text.removesuffix("…")  # of a shortened id
    return text if plain.isascii() and plain.isprintable() and " " not in plain else ascii(text)


take_over(globals())
