"""Flask's own tests of its sessions, and Flask-Session's, run on ours. Exceptions have names.

Flask-Session's newest source distribution that has tests is 0.5.0.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.frameworks.incumbents import outcomes, sources_of
from tests.stores.servers import url_of

pytestmark = pytest.mark.slow  # fetches packages
FILES = [
    f"tests/test_{name}.py"
    for name in ("basic", "session_interface", "testing", "reqctx", "templating", "views")
]
# what Flask's SESSION_REFRESH_EACH_REQUEST says, to the letter: each visit extends the life
LITERAL: dict[str, Any] = {"touch_after": 0, "lazy": False}
EXCEPTIONS = {
    "test_session_using_samesite_attribute":
        "it stores 42 over 42: nothing changed, so no cookie goes out again",
    "test_max_cookie_size":
        "it counts warnings, and ours about the key `test key` is one",
}  # fmt: skip
LAZY = {
    "test_session_cookie_setting":
        "it wants the cookie of a permanent session on each read; here once in a tenth of its life",
    "test_session_refresh_vary":
        "it wants a page that looks at no session to refresh it; here it isn't concerned",
}  # fmt: skip
NO_SECRET = "its app has no SECRET_KEY, which Flask-Session does without; here ids are signed"
WITHOUT_SECRET = {
    "test_redis_session": NO_SECRET,
    "test_memcached_session": NO_SECRET,
    "test_filesystem_session": NO_SECRET,
    "test_flasksqlalchemy_session": NO_SECRET,
    "test_mongodb_session": "no store of ours is in MongoDB: an OptionsError says what to do",
}
WITH_SECRET = {
    "test_null_session": "it wants no session without SESSION_TYPE; here that is one in memory",
    "test_mongodb_session": WITHOUT_SECRET["test_mongodb_session"],
}


def failed(environment: str, folder: Path, files: list[str], **variant: Any) -> set[str]:
    """The names of the tests that fail."""
    temporary = folder / "temporary"
    temporary.mkdir(exist_ok=True)
    variables = {"SESSFAST_VARIANT": json.dumps(variant), "TMPDIR": str(temporary)}
    found = outcomes(environment, ["-p", "flask_plugin", *files], folder, **variables)
    assert "passed" in found.values()
    bad = {name for name, outcome in found.items() if outcome not in {"passed", "skipped"}}
    return {name.rpartition("::")[2].partition("[")[0] for name in bad}


@pytest.mark.parametrize(
    ("options", "exceptions"), [({}, {**EXCEPTIONS, **LAZY}), (LITERAL, EXCEPTIONS)]
)
def test_flasks_own_tests_pass(options: dict[str, Any], exceptions: dict[str, str]) -> None:
    folder = sources_of("flask", "flask")
    ailing = failed("flask", folder, FILES, of="nobody")  # without us, with the packages of today
    found = failed("flask", folder, FILES, of="flask", options=options)
    assert found == ailing | set(exceptions)


@pytest.mark.parametrize(
    ("secret", "exceptions"),
    [("", WITHOUT_SECRET), ("a long secret: 0123456789-x-y-z", WITH_SECRET)],
)
def test_flask_sessions_own_tests_pass(secret: str, exceptions: dict[str, str]) -> None:
    folder = sources_of("flask_session", "flask-session", "0.5.0")
    places = {"redis": url_of("redis"), "memcached": url_of("memcached")}
    variant = {"of": "flask-session", "secret": secret, **places}
    assert failed("flask_session", folder, ["test_session.py"], **variant) == set(exceptions)
