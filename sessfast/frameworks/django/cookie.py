"""The session cookie: read from a request, and written, set or removed, by one function."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.http.cookie import cookies

from sessfast.hotpath import find, serialize

DATE = len("Thu, 01 Jan 1970 00:00:00 GMT")


class Written(cookies.Morsel):  # type: ignore[misc]  # Django has no types
    """A cookie of a response whose header is written already, unless someone changes it."""

    text: str | None = None

    def __setitem__(self, name: str, value: Any) -> None:
        self.text = None
        super().__setitem__(name, value)

    def update(self, values: Any) -> None:
        self.text = None
        super().update(values)

    def OutputString(self, attrs: Any = None) -> str:  # noqa: N802  as http.cookies has it
        if self.text is not None and attrs is None:
            return self.text
        text: str = super().OutputString(attrs)
        return text


class CookieWriter:
    """What Django's settings say of the session cookie, read once.

    name, age:        SESSION_COOKIE_NAME and _AGE
    ends_with_browser, saves_every_request: the settings that decide when it is written
    """

    def __init__(self) -> None:
        self.name = settings.SESSION_COOKIE_NAME
        self.age = settings.SESSION_COOKIE_AGE
        self.ends_with_browser = settings.SESSION_EXPIRE_AT_BROWSER_CLOSE
        self.saves_every_request = settings.SESSION_SAVE_EVERY_REQUEST
        self.attributes: dict[str, Any] = {
            "path": settings.SESSION_COOKIE_PATH or None,
            "domain": settings.SESSION_COOKIE_DOMAIN or None,
            "http_only": bool(settings.SESSION_COOKIE_HTTPONLY),
            "secure": bool(settings.SESSION_COOKIE_SECURE),
            "same_site": settings.SESSION_COOKIE_SAMESITE or None,
        }
        names = {"http_only": "httponly", "same_site": "samesite"}
        shown = {names.get(name, name): value or "" for name, value in self.attributes.items()}
        self.shown = {**cookies.Morsel(), **shown}  # as who looks at response.cookies finds it

    def sent(self, request: Any) -> str | None:
        """The value in a request; the last one where there are several, as in Django."""
        if "COOKIES" not in request.__dict__:  # nobody has parsed them yet
            header = request.META.get("HTTP_COOKIE")
            if not header:
                return None
            value = find(header, self.name)
            if value is None or find(header, self.name, 1) is None:
                return value
        text: str | None = request.COOKIES.get(self.name)
        return text

    def put(self, response: Any, value: str, age: float | None) -> None:
        """Put the cookie into a response; it removes the browser's where its age is 0.

        age: seconds; None: until the browser is closed
        TypeError, ValueError for settings that no header can carry.
        """
        cookie = Written.__new__(Written)
        dict.update(cookie, self.shown)
        if age is None:
            text = serialize(self.name, value, **self.attributes)
        else:
            age = max(0, int(age))
            end = time.time() + age if age else 0.0
            text = serialize(self.name, value, expires=end, max_age=age, **self.attributes)
            date = text.index("Expires=") + len("Expires=")
            dict.__setitem__(cookie, "expires", text[date : date + DATE])
            dict.__setitem__(cookie, "max-age", age)
        cookie._key, cookie._value, cookie._coded_value = self.name, value, value
        cookie.text = text
        dict.__setitem__(response.cookies, self.name, cookie)
