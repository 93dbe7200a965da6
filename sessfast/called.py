"""Objects that are called, as cheaply as CPython calls anything: a subclass says what they do.

Written twice, for the other one, compiled/called.pyx, keeps a C function in each object (PEP 590):
what Cython makes of `__call__` packs the arguments into a tuple first.
"""

from __future__ import annotations

from typing import Any


def calls_called(cls: Any) -> None:
    """Make calling an object of this class mean its inherited `called`, without a frame between."""
    cls.__call__ = cls.called


class _CallsCalled:
    """Lets a call of a subclass's objects go to its `called` without a frame between."""

    __slots__ = ()
    called: Any

    def __init_subclass__(cls) -> None:
        if "called" in cls.__dict__:
            calls_called(cls)


class Called1(_CallsCalled):
    """An object whose call is its method `called`, with one argument."""

    __slots__ = ()

    def called(self, first: Any) -> Any:
        """What a call does."""
        raise NotImplementedError

    def __call__(self, first: Any) -> Any: ...


class Called2(_CallsCalled):
    """The same with two arguments."""

    __slots__ = ()

    def called(self, first: Any, second: Any) -> Any:
        """What a call does."""
        raise NotImplementedError

    def __call__(self, first: Any, second: Any) -> Any: ...


class Called3(_CallsCalled):
    """The same with three arguments."""

    __slots__ = ()

    def called(self, first: Any, second: Any, third: Any) -> Any:
        """What a call does."""
        raise NotImplementedError

    def __call__(self, first: Any, second: Any, third: Any) -> Any: ...


class Called2Or3(_CallsCalled):
    """The same with two arguments, and a third that may be left out."""

    __slots__ = ()

    def called(self, first: Any, second: Any, third: Any = None) -> Any:
        """What a call does."""
        raise NotImplementedError

    def __call__(self, first: Any, second: Any, third: Any = None) -> Any: ...
