"""New ids. The specification of `ids_cy`, which buffers what it draws; this one doesn't."""

from __future__ import annotations

import os
from binascii import b2a_base64

REVISION = 1

_URLSAFE = bytes.maketrans(b"+/", b"-_")  # from one base64 to the other


def new_id() -> str:
    """24 octets of the system's random source as 32 characters of base64url.

    OSError: the source failed. There is no weaker second source.
    """
    return b2a_base64(os.urandom(24))[:32].translate(_URLSAFE).decode()
