"""Which twins the library runs on: one choice, for all of them, made once."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from types import ModuleType

import pytest

MODULES = ("cookies", "envelope", "ids", "plain", "signing", "ttltable")

TELL = """
    import sys
    from sessfast import hotpath
    chosen = [
        hotpath.find, hotpath.serialize, hotpath.wrap, hotpath.new_id, hotpath.plain_writer,
        hotpath.Keyring, hotpath.TTLTable,
    ]
    print(hotpath.BACKEND, *[thing.__module__.rpartition(".")[2] for thing in chosen])
"""

# Stand-ins for built extensions, so that these tests need no compiler, and for the package
# around them, whose own compiled files know the real ones.
FAKE = """
    import importlib.util, sys, types
    places = importlib.util.find_spec("sessfast").submodule_search_locations
    sys.modules["sessfast"] = types.ModuleType("sessfast")
    sys.modules["sessfast"].__path__ = list(places)
    for name in ("cookies", "envelope", "ids", "plain", "signing", "ttltable"):
        fake = types.ModuleType(f"sessfast.hotpath.{name}_cy")
        fake.REVISION = 1
        for thing in (
            "find", "gathered", "serialize", "Keyring", "cpu_path", "new_id", "TTLTable",
            "plain_writer", "wrap", "unwrap", "wraps",
        ):
            setattr(fake, thing, type(thing, (), {"__module__": fake.__name__}))
        sys.modules[fake.__name__] = fake
"""

PURE = "pure cookies_py cookies_py envelope_py ids_py plain_py signing_py ttltable_py"
COMPILED = "compiled cookies_cy cookies_cy envelope_cy ids_cy plain_cy signing_cy ttltable_cy"


def run(*scripts: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """An interpreter of its own that runs the scripts, with these environment variables."""
    kept = {name: value for name, value in os.environ.items() if name != "SESSFAST_PURE"}
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.run(
        [sys.executable, "-c", "\n".join(map(textwrap.dedent, scripts))],
        env=kept | {"PYTHONPATH": path} | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def told(*scripts: str, **variables: str) -> str:
    """What the scripts print."""
    done = run(*scripts, **variables)
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout.strip()


def test_the_environment_can_ask_for_the_pure_twins() -> None:
    """SESSFAST_PURE=1: also where compiled ones are there, and none of them is loaded."""
    loaded = "print([name for name in sys.modules if name.endswith('_cy')])"
    assert f"{PURE}\n[]" == told(TELL, loaded, SESSFAST_PURE="1")
    assert PURE == told(FAKE, TELL, SESSFAST_PURE="1")
    assert "hashlib" == told(
        "from sessfast import hotpath; print(hotpath.cpu_path())", SESSFAST_PURE="1"
    )


@pytest.mark.parametrize("value", ["", "0", "yes"])
def test_only_1_asks_for_them(value: str) -> None:
    """Any other value is as good as none."""
    assert COMPILED == told(FAKE, TELL, SESSFAST_PURE=value)
    assert COMPILED == told(FAKE, TELL)


def test_what_is_built_is_used(twins: Callable[[str], tuple[ModuleType, ModuleType]]) -> None:
    """The real extensions, where they are there."""
    for name in MODULES:
        twins(name)
    assert COMPILED == told(TELL)
    assert "compiled" == told("import sessfast; print(sessfast.BACKEND)")


@pytest.mark.parametrize("missing", MODULES)
def test_one_missing_extension_means_none(missing: str) -> None:
    """All or nothing: no mixture that nobody has tested."""
    gone = f"sys.modules['sessfast.hotpath.{missing}_cy'] = None"
    assert PURE == told(FAKE, gone, TELL)


@pytest.mark.parametrize("stale", MODULES)
@pytest.mark.parametrize("revision", ["0", "2", "'1'", "None"])
def test_a_stale_extension_is_an_import_error(stale: str, revision: str) -> None:
    """It names the module and the fix."""
    name = f"sessfast.hotpath.{stale}_cy"
    done = run(FAKE, f"sys.modules['{name}'].REVISION = {revision}", TELL)
    assert 1 == done.returncode
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: {name} is stale: its revision is")
    assert "python setup.py build_ext --inplace --force" in last
    assert "SESSFAST_PURE=1" in last


def test_an_extension_without_revision_is_stale_too() -> None:
    """One from before there were revisions."""
    done = run(FAKE, "del sys.modules['sessfast.hotpath.ids_cy'].REVISION", TELL)
    assert 1 == done.returncode
    assert "ImportError: sessfast.hotpath.ids_cy is stale" in done.stderr


def test_the_standard_cookie_module_is_not_used() -> None:
    """R-39: nothing here imports http.cookies."""
    script = """
        import sys
        from sessfast import hotpath
        signed = hotpath.Keyring([b"keyboard cat"]).sign(hotpath.new_id())
        pair = hotpath.serialize("sid", signed, expires=0.0).split(";")[0]
        assert signed == hotpath.find(pair, "sid")
        print("http.cookies" in sys.modules)
    """
    assert "False" == told(script)
    assert "False" == told(script, SESSFAST_PURE="1")
