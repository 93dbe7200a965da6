"""Chooses the twins, once and all or nothing: compiled where built, else pure.

The only reader of SESSFAST_PURE (1 = pure). Type checkers see the pure twins, which carry
the annotations of both.

There are two kinds. The leaves in this folder are written twice, as `x_py` and `x_cy`. A file
above it that a benchmark has condemned is compiled as it stands, under a second name in
`sessfast.compiled`, and ends with `take_over(globals())`.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sessfast.hotpath import (
    cookies_py,
    envelope_py,
    ids_py,
    plain_py,
    signing_py,
    ttltable_py,
)  # fmt: skip

# what the compiled files were made from: CRC-32 by path below the package, written by setup.py
BUILT_FROM = "built_from.json"
PACKAGE = Path(__file__).parent.parent
ADVICE = "Rebuild it (python setup.py build_ext --inplace --force), or set SESSFAST_PURE=1"

BACKEND: Literal["compiled", "pure"] = "pure"
PURE_BY_REQUEST = os.environ.get("SESSFAST_PURE") == "1"

if TYPE_CHECKING:
    from sessfast.hotpath import cookies_py as cookies
    from sessfast.hotpath import envelope_py as envelope
    from sessfast.hotpath import ids_py as ids
    from sessfast.hotpath import plain_py as plain
    from sessfast.hotpath import signing_py as signing
    from sessfast.hotpath import ttltable_py as ttltable
else:
    chosen = pure_twins = (cookies_py, envelope_py, ids_py, plain_py, signing_py, ttltable_py)
    if not PURE_BY_REQUEST:
        try:
            from sessfast.hotpath import (
                cookies_cy,
                envelope_cy,
                ids_cy,
                plain_cy,
                signing_cy,
                ttltable_cy,
            )  # fmt: skip
        except ImportError:
            pass  # not built: `BACKEND` tells
        else:
            chosen = (cookies_cy, envelope_cy, ids_cy, plain_cy, signing_cy, ttltable_cy)
            BACKEND = "compiled"
    for twin, pure in zip(chosen, pure_twins, strict=True):
        revision = getattr(twin, "REVISION", None)
        if revision != pure.REVISION:
            raise ImportError(
                f"{twin.__name__} is stale: its revision is {revision}, that of {pure.__name__} "
                f"{pure.REVISION}. {ADVICE}"
            )
    cookies, envelope, ids, plain, signing, ttltable = chosen


def take_over(names: dict[str, Any]) -> None:
    """Put the compiled twin's classes and functions in the place of a file's own (as PEP 399).

    names: globals() of the file, at its end. Nothing happens where the backend is pure, or
    where this is the twin. ImportError where the twin was made from another text.
    """
    module = names["__name__"]
    if BACKEND != "compiled" or module.startswith("sessfast.compiled."):
        return
    check_source(Path(names["__file__"]))
    twin = importlib.import_module(f"sessfast.compiled.{module.rpartition('.')[2]}")
    own = [name for name, value in names.items() if getattr(value, "__module__", "") == module]
    names.update({name: getattr(twin, name) for name in own})


@functools.cache
def built_from() -> dict[str, int]:
    """What setup.py wrote beside the compiled files."""
    return dict(json.loads((PACKAGE / "compiled" / BUILT_FROM).read_text()))


def check_source(file: Path) -> None:
    """ImportError where `file` isn't what its compiled twin was made from."""
    path = file.relative_to(PACKAGE).as_posix()
    if built_from().get(path) != zlib.crc32(file.read_bytes()):
        raise ImportError(f"{path} is not what its compiled twin was made from. {ADVICE}")


find = cookies.find
gathered = cookies.gathered
serialize = cookies.serialize
Keyring = signing.Keyring
cpu_path = signing.cpu_path
new_id = ids.new_id
plain_writer = plain.plain_writer
TTLTable = ttltable.TTLTable
unwrap = envelope.unwrap
wrap = envelope.wrap
wraps = envelope.wraps
SHORTEST_ENVELOPE = envelope_py.SHORTEST

__all__ = [
    "BACKEND",
    "PURE_BY_REQUEST",
    "SHORTEST_ENVELOPE",
    "Keyring",
    "TTLTable",
    "cpu_path",
    "find",
    "gathered",
    "new_id",
    "plain_writer",
    "serialize",
    "take_over",
    "unwrap",
    "wrap",
    "wraps",
]
