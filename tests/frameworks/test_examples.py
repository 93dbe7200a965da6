"""Every file of examples/ serves a page that counts a visitor's visits, each in its framework.

`python examples/NAME.py PORT` serves on 127.0.0.1; "/" answers a text that ends with the count.
"""

from __future__ import annotations

import http.client
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.frameworks.incumbents import ROOT, python_of, surroundings
from tests.servers import HOST, free_port

FOLDER = ROOT / "examples"
EXAMPLES = {  # file -> environment of requirements/
    "aiohttp_app.py": "aiohttp",
    "litestar_app.py": "litestar",
    "starsessions_app.py": "starsessions",
    "starlette_app.py": "starlette",
    "fastapi_app.py": "starlette",
    "django_app.py": "django",
    "beaker_app.py": "beaker",
    "bottle_app.py": "wsgi",
    "falcon_app.py": "wsgi",
    "pyramid_app.py": "wsgi",
    "flask_app.py": "flask",
    "quart_app.py": "quart",
}
PATIENCE = 30.0  # seconds


@contextmanager
def serving(file: str, environment: str) -> Iterator[int]:
    """The port on which an example answers."""
    port = free_port()
    log = ROOT / "build" / "frameworks" / f"{file}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [str(python_of(environment)), str(FOLDER / file), str(port)]
    with (
        log.open("w") as output,
        subprocess.Popen(
            command, cwd=ROOT, env=surroundings(), stdout=output, stderr=output
        ) as process,
    ):
        try:
            end = time.monotonic() + PATIENCE
            while True:
                assert process.poll() is None, log.read_text()[-3000:]
                assert time.monotonic() < end, log.read_text()[-3000:]
                try:
                    visited(port, None)
                    break
                except OSError:
                    time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def visited(port: int, cookie: str | None) -> tuple[str, str | None]:
    """(text, cookie to send back) of the page."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", "/", headers={"Cookie": cookie} if cookie else {})
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    assert response.status == 200, text
    cookies = response.headers.get_all("Set-Cookie") or []
    return text, "; ".join(each.partition(";")[0] for each in cookies) or None


def test_every_example_is_run() -> None:
    assert sorted(EXAMPLES) == sorted(file.name for file in FOLDER.glob("*.py"))


@pytest.mark.parametrize("file", EXAMPLES)
def test_an_example_counts_the_visits_of_each_visitor(file: str) -> None:
    with serving(file, EXAMPLES[file]) as port:
        text, cookie = visited(port, None)
        assert text.split()[-1] == "1"
        text, again = visited(port, cookie)
        assert text.split()[-1] == "2"
        assert visited(port, again or cookie)[0].split()[-1] == "3"
        assert visited(port, None)[0].split()[-1] == "1"
