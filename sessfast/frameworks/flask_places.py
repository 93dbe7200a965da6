"""Where an app's sessions are, by what it told Flask-Session: our store, and the old records.

For each SESSION_TYPE the store of ours that is of its kind, made of the very objects that the app
was configured with; where there is none, an error that names what to do.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sessfast.errors import OptionsError
from sessfast.legacy.flask_session import PREFIX, Files, FlaskSessionRecords, Table
from sessfast.stores.clients import client
from sessfast.stores.file import FileStore
from sessfast.stores.memory import MemoryStore
from sessfast.stores.opening import open_store
from sessfast.stores.sqlite import SQLiteStore

TYPE = "SESSION_TYPE"
KEY_PREFIX = "sessfast:"  # behind Flask-Session's own, in a server that both may use
FOLDER = "sessfast.__wz_cache"  # a name that cachelib takes for a file half written, and leaves
LOCAL_REDIS = "redis://localhost:6379/0"
LOCAL_MEMCACHED = "memcached://localhost:11211"
NO_STORE = (
    'pass one: Sessfast(app, store="redis://…"), "postgresql://…" or "sqlite:////…"; '
    "docs/stores.md says which one to choose"
)


class Place:
    """Where an app's sessions are.

    store:   ours; None: the option says
    records: where Flask-Session's are, or None
    format:  of those, if no setting says
    """

    def __init__(self, store: Any, records: Any = None, kind: str | None = None) -> None:
        self.store = store
        self.records = records
        self.format = kind


def place_of(app: Any, store: Any, asynchronous: bool = False) -> Place:
    """The store that the configuration means, and where Flask-Session's records are.

    store: the option, which wins over SESSION_TYPE
    OptionsError where there is no store of ours for SESSION_TYPE.
    """
    config = app.config
    if asynchronous:  # no word of Flask-Session's: Quart has no such thing
        return Place(store)
    kind = str(config.get(TYPE) or "null").lower()
    if kind not in PLACES:
        known = ", ".join(PLACES)
        raise OptionsError([f"{TYPE}: {kind!r} is none of {known}: {NO_STORE}"])
    place = PLACES[kind](app, config, store is not None)
    if store is not None:
        place.store = store
    return place


def _prefix(config: Mapping[str, Any]) -> str:
    return str(config.get("SESSION_KEY_PREFIX", PREFIX)) + KEY_PREFIX


def _null(app: Any, config: Mapping[str, Any], given: bool) -> Place:
    return Place(None if given else MemoryStore())


def _redis(app: Any, config: Mapping[str, Any], given: bool) -> Place:
    """SESSION_REDIS, any client of redis-py, is used as it is, for both."""
    library = client("redis", "redis")
    source = config.get("SESSION_REDIS")
    if source is None:
        source = library.Redis.from_url(LOCAL_REDIS)
    if given:
        return Place(None, source)
    from sessfast.stores.redis import RedisStore

    return Place(RedisStore(source, prefix=_prefix(config)), source)


def _memcached(app: Any, config: Mapping[str, Any], given: bool) -> Place:
    """The servers of SESSION_MEMCACHED, spoken to by our own client."""
    source = config.get("SESSION_MEMCACHED")
    if given:
        return Place(None, source)
    url = LOCAL_MEMCACHED
    if source is not None:
        servers = servers_of(source)
        if not servers:
            fault = "SESSION_MEMCACHED: this client doesn't tell where its servers are: "
            raise OptionsError([fault + 'pass store="memcached://host:port,host:port"'])
        url = "memcached://" + ",".join(servers)
    return Place(open_store(url, prefix=_prefix(config)), source)


def servers_of(source: Any) -> list[str]:
    """`host:port` of each server of a client of pymemcache, pylibmc or python-memcached."""
    if hasattr(source, "server"):  # pymemcache: Client and PooledClient
        found = [source.server]
    elif isinstance(getattr(source, "clients", None), dict):  # pymemcache: HashClient
        found = list(source.clients)
    elif hasattr(source, "addresses"):  # pylibmc
        found = list(source.addresses)
    else:  # python-memcached
        hosts = getattr(source, "servers", None) or []
        found = [(host.ip, host.port) for host in hosts if hasattr(host, "ip")]
    named = [":".join(map(str, each)) if isinstance(each, tuple) else str(each) for each in found]
    return [each if ":" in each else f"{each}:11211" for each in named if "/" not in each]


def _filesystem(app: Any, config: Mapping[str, Any], given: bool) -> Place:
    return _folder(config.get("SESSION_FILE_DIR") or "flask_session", given)


def _folder(folder: str | Path, given: bool) -> Place:
    store = None if given else FileStore(Path(folder, FOLDER))
    return Place(store, Files(folder), "pickle")


def _cachelib(app: Any, config: Mapping[str, Any], given: bool) -> Place:
    """The place behind a cachelib cache. What it keeps are pickles."""
    cache = config.get("SESSION_CACHELIB")
    kind = type(cache).__name__
    if cache is None:
        return _folder("flask_session", given)
    if kind == "FileSystemCache":
        return _folder(cache._path, given)
    if kind in ("SimpleCache", "NullCache") or given:
        return _null(app, config, given)
    if kind == "RedisCache":
        from sessfast.stores.redis import RedisStore

        source = getattr(cache, "_write_client", None) or cache._client
        return Place(RedisStore(source, prefix=_prefix(config)))
    raise OptionsError([f"SESSION_CACHELIB: no store of ours is like {kind}: {NO_STORE}"])


def _sqlalchemy(app: Any, config: Mapping[str, Any], given: bool) -> Place:
    """Beside the database of SESSION_SQLALCHEMY: a file of ours, or a table of ours in it."""
    database = config.get("SESSION_SQLALCHEMY")
    if database is None and config.get("SQLALCHEMY_DATABASE_URI"):  # as Flask-Session does
        database = importlib.import_module("flask_sqlalchemy").SQLAlchemy(app)
    if database is None:
        if given:
            return Place(None)
        raise OptionsError([f"SESSION_SQLALCHEMY is missing: set it, or {NO_STORE}"])
    schema, table = config.get("SESSION_SQLALCHEMY_SCHEMA"), config.get("SESSION_SQLALCHEMY_TABLE")
    name = ".".join(filter(None, (schema, table or "sessions")))
    bind = config.get("SESSION_SQLALCHEMY_BIND_KEY")

    def engine() -> Any:
        return database.engine if bind is None else database.engines[bind]

    records = Table(importlib.import_module("sqlalchemy"), engine, name)
    if given:
        return Place(None, records)
    with app.app_context():
        url = engine().url
    kind = url.get_backend_name()
    if kind == "sqlite":
        if not url.database or url.database == ":memory:":
            return Place(MemoryStore(), records)
        # a file of its own: the store's write-ahead log would change the app's file for good
        path = Path(url.database).absolute().with_suffix(".sessions.db")
        return Place(SQLiteStore(path), records)
    if kind == "postgresql":
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        return Place(open_store(plain), records)
    raise OptionsError([f"SESSION_SQLALCHEMY: no store of ours is in {kind}: {NO_STORE}"])


def _missing(app: Any, config: Mapping[str, Any], given: bool) -> Place:
    """There is no store of ours for it."""
    if given:
        return Place(None)
    raise OptionsError([f"{TYPE}: no store of ours is in {config[TYPE]}: {NO_STORE}"])


PLACES: Mapping[str, Callable[[Any, Mapping[str, Any], bool], Place]] = {
    "null": _null,
    "redis": _redis,
    "memcached": _memcached,
    "filesystem": _filesystem,
    "cachelib": _cachelib,
    "sqlalchemy": _sqlalchemy,
    "mongodb": _missing,
    "dynamodb": _missing,
}


def records_of(
    config: Mapping[str, Any], place: Place, secrets: list[bytes]
) -> FlaskSessionRecords:
    """The reader of the records in a place."""
    return FlaskSessionRecords(
        place.records,
        format=place.format or config.get("SESSION_SERIALIZATION_FORMAT", "msgpack"),
        prefix=config.get("SESSION_KEY_PREFIX", PREFIX),
        signers=secrets if config.get("SESSION_USE_SIGNER") else (),
    )
