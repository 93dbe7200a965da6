"""A Django project as its users write it; the replacement is one other setting."""

from __future__ import annotations

import json
import sys
import time
from types import ModuleType
from typing import Any

PROTOCOL = "wsgi"
MARKED: list[Any] = []  # events that the replacement told


def observe(event: str, facts: Any) -> None:
    """What SESSFAST["observer"] names."""
    MARKED.append([event, dict(facts)])


DJANGOS = "django.contrib.sessions.middleware.SessionMiddleware"


def build(
    kind: str,
    place: str,
    engine: str = "db",
    ours: Any = None,
    session_middleware: str = DJANGOS,
    **settings: Any,
) -> Any:
    """kind: "incumbent" or "replacement"; place: a folder for the database.

    engine: of Django's backends, before; ours: SESSFAST, after; settings: Django's
    """
    import django
    from django.conf import settings as project
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application
    from django.urls import path

    session_engine = f"django.contrib.sessions.backends.{engine}"
    if kind == "replacement":
        session_engine = "sessfast.frameworks.django"
        settings["SESSFAST"] = {"observer": f"{__name__}.observe", **(ours or {})}
    urls: Any = ModuleType("django_app_urls")
    urls.urlpatterns = [path(f"{name}/", view) for name, view in views().items()]
    sys.modules["django_app_urls"] = urls
    project.configure(
        SECRET_KEY="a secret of the tests, as long as one must be",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="django_app_urls",
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{place}/db.sqlite3"}
        },
        CACHES={
            "default": {
                "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
                "LOCATION": f"{place}/cache",
            }
        },
        SESSION_FILE_PATH=place,
        SESSION_ENGINE=session_engine,
        INSTALLED_APPS=[
            "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
            *(["sessfast.frameworks.django"] if kind == "replacement" else []),
        ],
        MIDDLEWARE=[
            session_middleware,
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        USE_TZ=True,
        **settings,
    )  # fmt: skip
    django.setup()
    call_command("migrate", verbosity=0)
    from django.contrib.auth.models import User

    if not User.objects.filter(username="ann").exists():
        User.objects.create_user("ann", password="first")
    return get_wsgi_application()


def views() -> dict[str, Any]:
    """The pages by name."""

    def answer(data: Any) -> Any:
        from django.http import JsonResponse

        return JsonResponse(data, safe=False)

    def show(request: Any) -> Any:
        hidden = ("_auth_user_hash", "_auth_user_backend")
        data = {key: value for key, value in request.session.items() if key not in hidden}
        user = request.user.username
        return answer({"data": data, "user": user, "key": request.session.session_key})

    def untouched(request: Any) -> Any:
        return answer("ok")

    def put(request: Any) -> Any:
        request.session.update(json.loads(request.body))
        return answer("ok")

    def nested(request: Any) -> Any:
        request.session["list"].append(1)
        return answer("ok")

    def slow(request: Any) -> Any:
        key = request.GET["key"]
        request.session.get(key)
        time.sleep(0.1)
        request.session[key] = 1
        return answer("ok")

    def log_in(request: Any) -> Any:
        from django.contrib.auth import authenticate, login

        user = authenticate(request, username="ann", password=request.GET["password"])
        if user is not None:
            login(request, user)
        return answer(user is not None)

    def log_out(request: Any) -> Any:
        from django.contrib.auth import logout

        logout(request)
        return answer("ok")

    def change(request: Any) -> Any:
        from django.contrib.auth import update_session_auth_hash

        request.user.set_password(request.GET["password"])
        request.user.save()
        update_session_auth_hash(request, request.user)
        return answer("ok")

    def events(request: Any) -> Any:
        told = [event for event in MARKED if event[0] != "request"]
        MARKED.clear()
        return answer(told)

    def checks(request: Any) -> Any:
        from django.core import checks as django_checks

        found = django_checks.run_checks(include_deployment_checks=False)
        return answer([each.id for each in found if str(each.id).startswith("sessfast")])

    def clear_expired(request: Any) -> Any:
        from django.core.management import call_command

        call_command("clearsessions")
        return answer("ok")

    return {
        "show": show, "untouched": untouched, "put": put, "nested": nested, "slow": slow,
        "login": log_in, "logout": log_out, "change": change, "events": events, "checks": checks,
        "clearsessions": clear_expired,
    }  # fmt: skip
