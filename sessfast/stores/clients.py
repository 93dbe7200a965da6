"""The packages that stores need, imported when a store is made, not when sessfast is."""

from __future__ import annotations

import importlib
from typing import Any

from sessfast.errors import OptionsError


def client(package: str, extra: str) -> Any:
    """The module `package`. OptionsError, with the pip command, where it isn't installed.

    extra: the name in `pip install "sessfast[extra]"` that brings it
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package.partition(".")[0]:
            raise  # it is there, but something that it needs isn't
        raise missing(package, extra) from error


def missing(package: str, extra: str) -> OptionsError:
    """The error for a package that isn't installed."""
    return OptionsError(
        [f'store: the package {package} is not installed: pip install "sessfast[{extra}]"']
    )
