"""The plain data in a pickle: read, not run, so that nothing is imported or called.

Some stores wrap all they keep in a pickle, also where it is a dict of texts and numbers. Of the
pickle machine (protocols 0 to 5, pickletools.py) only the operations that build such data are
known here. Whatever names a class or calls anything is refused before it is looked at.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import Any

from sessfast.errors import DecodeError

MARK = object()
MAX_OPERATIONS = 100_000

# operations that push their own argument
LITERALS = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "BINUNICODE", "BINUNICODE8", "SHORT_BINUNICODE", "UNICODE",
    "BINBYTES", "BINBYTES8", "SHORT_BINBYTES",
})  # fmt: skip
CONSTANTS: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "MARK": lambda: MARK,
}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
IDLE = frozenset({"PROTO", "FRAME"})


def plain_data(pickled: bytes) -> Any:
    """The dicts, lists, tuples, str, bytes, numbers, bools and None in a pickle.

    DecodeError for every other pickle, and for what is none. A value that the pickle has twice
    is one object twice, as in Python's own reading.
    """
    machine = _Machine()
    try:
        for count, (operation, argument, _place) in enumerate(pickletools.genops(pickled)):
            if count == MAX_OPERATIONS:
                raise DecodeError("the pickle is too long")
            machine.do(operation.name, argument)
        return machine.result()
    except DecodeError:
        raise
    except Exception as error:
        raise DecodeError("not a whole pickle") from error


class _Machine:
    """The stack and the memo of one reading."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def do(self, name: str, argument: Any) -> None:
        """Carry out one operation."""
        stack = self.stack
        if name in LITERALS:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name]())
        elif name in IDLE:
            pass
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[int(argument)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[int(argument)])
        elif name in TUPLES:
            count = TUPLES[name]
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "APPEND":
            value = stack.pop()
            self._top(list).append(value)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            self._top(dict)[key] = value
        elif name in ("APPENDS", "SETITEMS", "TUPLE", "LIST", "DICT"):
            self._marked(name, self._to_mark())
        elif name != "STOP":
            raise DecodeError(f"the pickle holds more than plain data ({name}): it is not read")

    def _marked(self, name: str, values: list[Any]) -> None:
        """Carry out an operation on all that stands above the last mark."""
        if name == "APPENDS":
            self._top(list).extend(values)
        elif name == "SETITEMS":
            self._top(dict).update(zip(values[::2], values[1::2], strict=True))
        elif name == "TUPLE":
            self.stack.append(tuple(values))
        elif name == "LIST":
            self.stack.append(values)
        else:
            self.stack.append(dict(zip(values[::2], values[1::2], strict=True)))

    def _to_mark(self) -> list[Any]:
        values: list[Any] = []
        while (value := self.stack.pop()) is not MARK:
            values.append(value)
        values.reverse()
        return values

    def _top(self, kind: type) -> Any:
        top = self.stack[-1]
        if type(top) is not kind:
            raise TypeError
        return top

    def result(self) -> Any:
        """What is left at the end: one value."""
        [value] = self.stack
        if value is MARK:
            raise ValueError
        return value
