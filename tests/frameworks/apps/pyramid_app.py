"""A Pyramid app over its own signed cookies, and over our factory."""

from __future__ import annotations

from typing import Any

PROTOCOL = "wsgi"
SECRET = "a secret of the tests, 32 bytes or more: Zx81-qL0"


def build(kind: str, **options: Any) -> Any:
    """kind: "incumbent" or "replacement"; options: the factory's."""
    from pyramid.config import Configurator
    from pyramid.response import Response

    if kind == "incumbent":
        from pyramid.session import SignedCookieSessionFactory as Factory
    else:
        from sessfast.frameworks.pyramid import SessfastSessionFactory as Factory

    def show(request: Any) -> Any:
        session = request.session
        action = request.params.get("do")
        answer: Any = "ok"
        if action == "put":
            session["user"] = "ann"
        elif action == "flash":
            session.flash("hello")
            session.flash("hello", allow_duplicate=False)
        elif action == "messages":
            answer = [session.peek_flash(), session.pop_flash(), session.pop_flash()]
        elif action == "token":
            token = session.get_csrf_token()
            answer = [token == session.get_csrf_token(), token == session.new_csrf_token()]
        elif action == "invalidate":
            session.invalidate()
            session["fresh"] = True
        elif action == "show":
            answer = {key: value for key, value in session.items() if not key.startswith("_")}
        elif action == "new":
            answer = [session.new, session.created > 0]
        return Response(json_body=answer)

    with Configurator(
        session_factory=Factory(SECRET)
        if kind == "incumbent"
        else Factory(secret=SECRET, **options)
    ) as config:
        config.add_route("home", "/")
        config.add_view(show, route_name="home")
        return config.make_wsgi_app()
