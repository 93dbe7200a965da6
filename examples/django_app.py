"""A counter in a Django project of one file: python examples/django_app.py [PORT]."""

from __future__ import annotations

import sys

import django
import uvicorn
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path


async def counter(request: HttpRequest) -> HttpResponse:
    """Count the visits of this visitor."""
    visits = await request.session.aget("visits", 0) + 1
    await request.session.aset("visits", visits)
    return HttpResponse(f"Visits: {visits}")


urlpatterns = [path("", counter)]

settings.configure(
    SECRET_KEY="put the output of python -m sessfast genkey here",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    INSTALLED_APPS=["sessfast.frameworks.django"],
    SESSION_ENGINE="sessfast.frameworks.django",
    SESSFAST={"store": "memory://"},
)
django.setup()
app = get_asgi_application()

if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    uvicorn.run(app, host="127.0.0.1", port=port, lifespan="off")
