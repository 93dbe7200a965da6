"""Extensions and their switches; everything else is in pyproject.toml.

SESSFAST_PURE=1        build no extension
SESSFAST_REQUIRE_CY=1  fail where an extension can't be built (otherwise: install pure)
"""

import json
import os
import sys
import zlib
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

PURE = os.environ.get("SESSFAST_PURE") == "1"
REQUIRE = os.environ.get("SESSFAST_REQUIRE_CY") == "1"

LEAVES = ("cookies", "envelope", "ids", "plain", "signing", "ttltable")
LEAF_DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "embedsignature": False,
    "binding": True,
    "freethreading_compatible": True,
}

# files of the rules and fronts that are compiled as they stand, under a second name
SECOND_NAMES = (
    "meta", "storable", "native_record", "state", "session", "policy", "lifetime", "decision",
    "saving", "loading", "lifecycle", "drivers", "stores/memory", "report", "front", "wsgi", "asgi",
)  # fmt: skip
# they are Python first: their annotations advise, and their indexes are checked
SECOND_DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,
    "embedsignature": False,
    "binding": True,
    "freethreading_compatible": True,
}
# what a compiled file may take from another
DECLARATIONS = sorted(map(str, Path("sessfast").rglob("*.pxd")))
# the linker then need not leave our own functions replaceable
FLAGS = ["-O3", "-fno-semantic-interposition", "-fno-plt"] if sys.platform == "linux" else ["-O3"]
BUILT_FROM = "sessfast/compiled/built_from.json"


class BuildTwins(build_ext):
    """All the extensions, or none of them.

    The C files go to the build directory: they are no part of the source tree, nor of an sdist.
    What was compiled is written down beside them, so that a stale one is found when imported.
    """

    def run(self):
        try:
            super().run()
            self.write_built_from()
        except Exception as error:
            # No compiler, no headers, no Cython: each has an exception of its own.
            if REQUIRE:
                raise
            for path in self.get_outputs():
                Path(path).unlink(missing_ok=True)  # what was built before the failure
            self.extensions = []  # not clear(): the distribution has the same list
            print(
                f"sessfast: the extensions can't be built ({type(error).__name__}: {error}); "
                "going on with pure Python. SESSFAST_REQUIRE_CY=1 makes this an error.",
                file=sys.stderr,
            )

    def build_extensions(self):
        """Cython and the C compiler, each with as many processes as there are cores."""
        from Cython.Build import cythonize

        self.parallel = os.cpu_count()
        folder = Path(self.build_temp, "cython")
        for ext in self.extensions:  # Cython doesn't find the .pxd of a second name's neighbours
            source = Path(ext.sources[0])
            made = (folder / source).with_suffix(".c")
            newest = max(Path(path).stat().st_mtime for path in [source, *ext.depends])
            if made.exists() and (self.force or made.stat().st_mtime < newest):
                made.unlink()
        translated = []
        for directives in (LEAF_DIRECTIVES, SECOND_DIRECTIVES):
            translated += cythonize(
                [ext for ext in self.extensions if ext.directives is directives],
                build_dir=str(folder),
                nthreads=self.parallel,
                compiler_directives=directives,
                quiet=True,
            )
        for ext, c_ext in zip(self.extensions, translated, strict=True):
            ext.sources = c_ext.sources
        super().build_extensions()

    def write_built_from(self):
        """The CRC-32 of each file that has a second name, by its path below the package."""
        text = json.dumps(
            {f"{name}.py": zlib.crc32(Path(f"sessfast/{name}.py").read_bytes())
             for name in SECOND_NAMES},
            indent=1,
        )  # fmt: skip
        for folder in {Path(self.build_lib), Path() if self.inplace else Path(self.build_lib)}:
            path = folder / BUILT_FROM
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def get_outputs(self):
        return [*super().get_outputs(), str(Path(self.build_lib, BUILT_FROM))]


def extension(module, source, directives, **more):
    """One extension with directives of its own."""
    made = Extension(module, [source], **more)
    made.directives = directives
    return made


TWINS = [
    extension(
        f"sessfast.hotpath.{name}_cy",
        f"sessfast/hotpath/{name}_cy.pyx",
        LEAF_DIRECTIVES,
        include_dirs=["sessfast/hotpath"],
        depends=["sessfast/hotpath/sha256.h", *DECLARATIONS, "setup.py"],
        extra_compile_args=FLAGS,
    )
    for name in LEAVES
] + [
    extension(
        f"sessfast.compiled.{name}",
        f"sessfast/compiled/{name}.pyx",
        LEAF_DIRECTIVES,
        depends=["setup.py"],
        extra_compile_args=FLAGS,
    )
    for name in ("called", "rawdict")
] + [
    extension(
        f"sessfast.compiled.{Path(name).name}",
        f"sessfast/{name}.py",
        SECOND_DIRECTIVES,
        include_dirs=["sessfast/hotpath"],
        depends=["sessfast/hotpath/sha256.h", *DECLARATIONS, "setup.py"],
        extra_compile_args=[*FLAGS, "-Wno-array-bounds"],
    )
    for name in SECOND_NAMES
]

if PURE and REQUIRE:
    sys.exit("SESSFAST_PURE=1 and SESSFAST_REQUIRE_CY=1 exclude each other")

setup(ext_modules=[] if PURE else TWINS, cmdclass={"build_ext": BuildTwins})
