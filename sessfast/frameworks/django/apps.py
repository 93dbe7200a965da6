"""What Django knows about this package where it is in INSTALLED_APPS: its checks."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core.checks import Tags, register

from .checks import configuration_works


class SessfastConfig(AppConfig):  # type: ignore[misc]  # Django has no types
    name = "sessfast.frameworks.django"
    label = "sessfast"
    verbose_name = "sessfast"

    def ready(self) -> Any:
        register(configuration_works, Tags.security)
