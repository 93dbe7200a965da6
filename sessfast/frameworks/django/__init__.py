"""Django's sessions, kept by sessfast: `SESSION_ENGINE = "sessfast.frameworks.django"`.

`SessionStore` is all of SessionBase, under Django's own SessionMiddleware. `SessionMiddleware`
may take the place of that one: it does the same for less, and what is named there.
Settings: Django's SESSION_*, and the dict SESSFAST (settings.py). With this package in
INSTALLED_APPS, `manage.py check` looks at them.
"""

from __future__ import annotations

from .engine import SessionStore
from .middleware import SessionMiddleware

__all__ = ["SessionMiddleware", "SessionStore"]
