"""Chooses the twins, once and all or nothing: compiled where built, else pure.

The only reader of SESSFAST_PURE (1 = pure). Type checkers see the pure twins, which carry
the annotations of both.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from sessfast.hotpath import cookies_py, ids_py, signing_py, ttltable_py

BACKEND: Literal["compiled", "pure"] = "pure"
PURE_BY_REQUEST = os.environ.get("SESSFAST_PURE") == "1"

if TYPE_CHECKING:
    from sessfast.hotpath import cookies_py as cookies
    from sessfast.hotpath import ids_py as ids
    from sessfast.hotpath import signing_py as signing
    from sessfast.hotpath import ttltable_py as ttltable
else:
    cookies, ids, signing, ttltable = twins = (cookies_py, ids_py, signing_py, ttltable_py)
    if not PURE_BY_REQUEST:
        try:
            from sessfast.hotpath import cookies_cy, ids_cy, signing_cy, ttltable_cy
        except ImportError:
            pass  # not built: `BACKEND` tells
        else:
            cookies, ids, signing, ttltable = (cookies_cy, ids_cy, signing_cy, ttltable_cy)
            BACKEND = "compiled"
    for twin, pure in zip((cookies, ids, signing, ttltable), twins, strict=True):
        revision = getattr(twin, "REVISION", None)
        if revision != pure.REVISION:
            raise ImportError(
                f"{twin.__name__} is stale: its revision is {revision}, that of {pure.__name__} "
                f"{pure.REVISION}. Rebuild it (python setup.py build_ext --inplace --force, or "
                "reinstall), or set SESSFAST_PURE=1"
            )

find = cookies.find
gathered = cookies.gathered
serialize = cookies.serialize
Keyring = signing.Keyring
cpu_path = signing.cpu_path
new_id = ids.new_id
TTLTable = ttltable.TTLTable

__all__ = [
    "BACKEND",
    "PURE_BY_REQUEST",
    "Keyring",
    "TTLTable",
    "cpu_path",
    "find",
    "gathered",
    "new_id",
    "serialize",
]
