"""Every exception this library raises. Ids and secrets never appear in their messages."""

from __future__ import annotations

from collections.abc import Sequence


class SessfastError(Exception):
    """Base of all our exceptions."""


class OptionsError(SessfastError, ValueError):
    """A configuration that can't work. `faults` lists every fault, each with its fix."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        head = "1 fault in the options" if count == 1 else f"{count} faults in the options"
        super().__init__(head + "".join(f"\n  - {fault}" for fault in self.faults))


class StoreError(SessfastError):
    """A store call failed. `verb` names the call; `__cause__` is the client's own error."""

    def __init__(self, verb: str, reason: str = "") -> None:
        self.verb = verb
        self.reason = reason
        super().__init__(f"store.{verb} failed" + (f": {reason}" if reason else ""))


class ConflictError(SessfastError):
    """Another request saved this session first, and `on_conflict` says to refuse ours."""


class SessionGoneError(SessfastError):
    """`reload` found no record: the session was destroyed, rotated or has expired."""


class HeadersSentError(SessfastError):
    """The response has started, so that no new cookie can reach the browser any more."""


class SessionDestroyedError(SessfastError):
    """A write after `destroy()`. `regenerate()` begins a new session."""


class SessionNotLoadedError(SessfastError):
    """A touch of a session that `prefetch=False` leaves to `await session.load()`."""


class SessionTooLargeError(SessfastError):
    """The encoded session exceeds `max_session_bytes`. What is stored stays as it was."""


class EncodeError(SessfastError, TypeError):
    """Session data that can't be stored. `path` names the key, as in `cart[2].price`."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(f"session data at {path or 'the top'}: {reason}")


class DecodeError(SessfastError, ValueError):
    """A stored record that can't be read. It never reaches an app: the session starts fresh."""
