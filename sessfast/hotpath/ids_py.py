"""New ids. The specification of `ids_cy`, which buffers what it draws; this one doesn't."""

from __future__ import annotations

import secrets

REVISION = 1


def new_id() -> str:
    """24 octets of the system's random source as 32 characters of base64url.

    OSError: the source failed. There is no weaker second source.
    """
    return secrets.token_urlsafe(24)
