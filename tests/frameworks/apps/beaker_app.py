"""A WSGI app with Beaker's middleware as its users write it; the replacement is another import."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs

PROTOCOL = "wsgi"
MARKED: list[Any] = []  # events that the replacement told


def build(kind: str, **config: Any) -> Any:
    """kind: "incumbent" or "replacement"; config: Beaker's, as a configuration file has it."""
    if kind == "incumbent":
        from beaker.middleware import SessionMiddleware
    else:
        from sessfast.frameworks.beaker import SessionMiddleware

        config["session.sessfast.observer"] = lambda *event: MARKED.append(event)
        config.setdefault("session.sessfast.until", "2099-01-01")

    def app(environ: Any, start_response: Any) -> list[bytes]:
        session = environ["beaker.session"]
        name = environ["PATH_INFO"].strip("/")
        query = parse_qs(environ["QUERY_STRING"])
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        answer: Any = "ok"
        if name == "show":
            answer = {k: session[k] for k in session if not k.startswith("_")}
        elif name == "put":
            session.update(json.loads(body))
            session.save()
        elif name == "unsaved":
            session["unsaved"] = 1
        elif name == "nested":
            session["list"].append(1)
            session.save()
        elif name == "slow":
            session.get("a")
            time.sleep(0.1)
            session[query["key"][0]] = 1
            session.save()
        elif name == "delete":
            session.delete()
        elif name == "invalidate":
            session.invalidate()
            session["fresh"] = 1
            session.save()
        elif name == "rotate":
            session.regenerate_id()
            session.save()
        elif name == "events":
            answer = [event for event in MARKED if event[0] != "request"]
            MARKED.clear()
        text = json.dumps(answer, default=dict).encode()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [text]

    return SessionMiddleware(app, config)
