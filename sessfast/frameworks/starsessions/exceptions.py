"""What starsessions raises, by its names."""

from __future__ import annotations

from sessfast.errors import SessionNotLoadedError


class SessionError(Exception):
    """Base of what is raised here; errors of sessfast's own have another."""


class ImproperlyConfigured(SessionError):  # noqa: N818  its name there
    """Something is missing: the middleware, or an argument."""


SessionNotLoaded = SessionNotLoadedError
