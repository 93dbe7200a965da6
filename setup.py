"""Extensions and their switches; everything else is in pyproject.toml.

SESSFAST_PURE=1        build no extension
SESSFAST_REQUIRE_CY=1  fail where an extension can't be built (otherwise: install pure)
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

PURE = os.environ.get("SESSFAST_PURE") == "1"
REQUIRE = os.environ.get("SESSFAST_REQUIRE_CY") == "1"

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "embedsignature": False,
    "binding": True,
    "freethreading_compatible": True,
}


class BuildTwins(build_ext):
    """All the extensions, or none of them.

    The C files go to the build directory: they are no part of the source tree, nor of an sdist.
    """

    def initialize_options(self):
        super().initialize_options()
        self.cython_c_in_temp = True
        self.cython_directives = DIRECTIVES

    def run(self):
        try:
            super().run()
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


TWINS = [
    Extension(
        f"sessfast.hotpath.{name}_cy",
        [f"sessfast/hotpath/{name}_cy.pyx"],
        include_dirs=["sessfast/hotpath"],
        depends=["sessfast/hotpath/sha256.h", "setup.py"],
        extra_compile_args=["-O3"],
    )
    for name in ("cookies", "signing", "ids", "ttltable")
]

if PURE and REQUIRE:
    sys.exit("SESSFAST_PURE=1 and SESSFAST_REQUIRE_CY=1 exclude each other")

setup(ext_modules=[] if PURE else TWINS, cmdclass={"build_ext": BuildTwins})
