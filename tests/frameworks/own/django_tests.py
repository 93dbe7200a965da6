"""Django's own session tests, run against ours: a program for the environment of the incumbent.

python django_tests.py FOLDER      FOLDER: `tests` of Django's sdist

Prints one JSON object: the tests that ran, and those that failed with their tracebacks' last line.
"""

from __future__ import annotations

import json
import sys
import unittest
import unittest.mock
from typing import Any

import django
from django.conf import settings

ENGINE = "sessfast.frameworks.django"
APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "sessions_tests",
    ENGINE,
]


def set_up(folder: str) -> None:
    """Configure Django as its own test runner does, with our engine."""
    sys.path.insert(0, folder)
    settings.configure(
        SECRET_KEY="django_tests_secret_key" * 3,
        SESSION_ENGINE=ENGINE,
        SESSFAST={"store": "memory://"},
        INSTALLED_APPS=APPS,
        MIDDLEWARE=[f"{ENGINE}.SessionMiddleware"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        USE_TZ=False,
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )
    django.setup()


def cases() -> list[type[unittest.TestCase]]:
    """The test cases: what Django asks of each engine, and of the middleware."""
    from django.contrib.sessions.middleware import SessionMiddleware as DjangosMiddleware
    from django.test import SimpleTestCase
    from sessions_tests import tests

    from sessfast.frameworks.django import SessionMiddleware, SessionStore

    class EngineTests(tests.SessionTestsMixin, SimpleTestCase):  # type: ignore[misc]
        backend = SessionStore

    class AgainWithTimeZones(EngineTests):
        def setUp(self) -> None:
            override = self.settings(USE_TZ=True)
            override.enable()
            self.addCleanup(override.disable)
            super().setUp()

    def middleware_tests(name: str, middleware: Any) -> type[unittest.TestCase]:
        def set_up(self: Any) -> None:
            patched = unittest.mock.patch.object(tests, "SessionMiddleware", middleware)
            patched.start()
            self.addCleanup(patched.stop)

        return type(name, (tests.SessionMiddlewareTests,), {"setUp": set_up})

    return [
        EngineTests,
        AgainWithTimeZones,
        middleware_tests("UnderDjangosMiddleware", DjangosMiddleware),
        middleware_tests("UnderOurMiddleware", SessionMiddleware),
    ]


class Outcome(unittest.TestResult):
    """Which tests ran, which failed."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[str] = []
        self.failed: dict[str, str] = {}

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802  as unittest has it
        super().startTest(test)
        self.ran.append(name_of(test))

    def note(self, test: unittest.TestCase, error: Any) -> None:
        text = self._exc_info_to_string(error, test)  # type: ignore[attr-defined]
        self.failed[name_of(test)] = text

    def addError(self, test: Any, err: Any) -> None:  # noqa: N802
        self.note(test, err)

    def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        self.note(test, err)


def name_of(test: unittest.TestCase) -> str:
    """Class and method."""
    return f"{type(test).__name__}.{test._testMethodName}"


def main() -> None:
    """Run all cases."""
    set_up(sys.argv[1])
    from django.test.utils import get_runner, setup_test_environment

    setup_test_environment()
    runner = get_runner(settings)(verbosity=0, interactive=False)
    databases = runner.setup_databases()
    outcome = Outcome()
    loader = unittest.defaultTestLoader
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in cases())
    suite.run(outcome)
    runner.teardown_databases(databases)
    json.dump({"ran": outcome.ran, "failed": outcome.failed}, sys.stdout)


if __name__ == "__main__":
    main()
