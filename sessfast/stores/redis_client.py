"""From a URL to a client of redis-py, with bounds and without retries; its errors in words."""

from __future__ import annotations

import asyncio
import inspect
import warnings
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import redis
import redis.asyncio
import redis.asyncio.cluster
import redis.asyncio.retry
import redis.asyncio.sentinel
import redis.backoff
import redis.cluster
import redis.exceptions
import redis.retry
import redis.sentinel

from sessfast.errors import OptionsError, StoreError

# Valkey's schemes mean the same server protocol.
SCHEMES = {"valkey": "redis", "valkeys": "rediss"}
PLAIN = ("redis", "rediss", "unix")
SENTINEL = ("redis+sentinel", "rediss+sentinel")
CLUSTER = ("redis+cluster", "rediss+cluster")
KNOWN = (*PLAIN, *SCHEMES, *SENTINEL, *CLUSTER)


def connect(url: str, timeout: float, limit: int | None, asynchronous: bool, more: Any) -> Any:
    """A client for the URL; it connects when it is first used. OptionsError for a bad URL.

    timeout: seconds for a connection, and for an answer
    limit:   connections at most; further calls wait for one, `timeout` at most
    more:    keywords for redis-py's connections: TLS, user name, db
    The client never sends a command twice by itself: whether it may is the verb's business.
    """
    parts = urlsplit(url)
    scheme = SCHEMES.get(parts.scheme, parts.scheme)
    if scheme not in KNOWN:
        raise OptionsError([f"store: a Redis URL begins with {'://, '.join(KNOWN)}://"])
    library = redis.asyncio if asynchronous else redis
    retries = redis.asyncio.retry if asynchronous else redis.retry
    bounds = {
        # The async store has one bound for the whole call. redis-py's goes through wait_for(),
        # which loses a cancellation now and then before Python 3.12.
        "socket_timeout": None if asynchronous else timeout,
        "socket_connect_timeout": timeout,
        "retry": retries.Retry(redis.backoff.NoBackoff(), 0),
        **more,
    }
    try:
        if scheme in SENTINEL:
            return _by_sentinel(url, library, bounds)
        address = urlunsplit(parts._replace(scheme=scheme.partition("+")[0]))
        if scheme in CLUSTER:
            if redis.VERSION[0] < 6:  # where that is no matter of `retry`
                bounds["cluster_error_retry_attempts"] = 0
            return library.RedisCluster.from_url(address, **bounds)
        if limit is None:
            return library.Redis.from_url(address, **bounds)
        pool = library.BlockingConnectionPool.from_url(
            address, max_connections=limit, timeout=timeout, **bounds
        )
        return library.Redis.from_pool(pool)
    except (ValueError, TypeError) as error:  # their text may quote the password
        raise OptionsError(
            [f"store: redis-py can't use this URL or an option with it ({type(error).__name__})"]
        ) from None


def _by_sentinel(url: str, library: Any, bounds: dict[str, Any]) -> Any:
    """The client for redis+sentinel://user:password@host:port,host:port/service/db."""
    parts = urlsplit(url)
    account, _, hosts = parts.netloc.rpartition("@")
    service, _, number = parts.path.strip("/").partition("/")
    if not service or not hosts:
        raise ValueError
    sentinels = []
    for each in hosts.split(","):
        host, _, port = each.rpartition(":") if ":" in each else (each, "", "26379")
        sentinels.append((host.strip("[]"), int(port)))
    user, _, password = account.partition(":")
    known = {"username": unquote(user) or None, "password": unquote(password) or None}
    if parts.scheme.startswith("rediss"):
        bounds = {**bounds, "ssl": True}
    asking = {k: v for k, v in bounds.items() if k.startswith(("socket_", "ssl"))}
    found = library.sentinel.Sentinel(sentinels, sentinel_kwargs=asking)
    return found.master_for(service, db=int(number or 0), **known, **bounds)


def all_of(client: Any) -> list[Any]:
    """The client, and those that ask Sentinel for it."""
    manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    return [client, *getattr(manager, "sentinels", ())]


def checked(client: Any, asynchronous: bool) -> Any:
    """A client that was passed in, if it is of the right kind. OptionsError, with the fix."""
    execute = getattr(client, "execute_command", None)
    if execute is None:
        raise OptionsError(
            [f"store: {type(client).__name__} is neither a URL nor a client of redis-py"]
        )
    if inspect.iscoroutinefunction(execute) is not asynchronous:
        right = "AsyncRedisStore" if not asynchronous else "RedisStore"
        raise OptionsError([f"store: pass a client of this kind to {right}"])
    pool = getattr(client, "connection_pool", None)
    settings = getattr(pool, "connection_kwargs", {"socket_timeout": 1})
    if not asynchronous and settings.get("socket_timeout", 1) is None:
        warnings.warn(
            "the Redis client has no socket_timeout: a server that hangs will hang requests",
            stacklevel=3,
        )
    return client


def split_url(url: str, names: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """The URL without those of our options that are in its query, and these."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    ours = {name: value for name, value in query if name in names}
    if not ours:
        return url, {}
    rest = [(name, value) for name, value in query if name not in names]
    return urlunsplit(parts._replace(query=urlencode(rest, quote_via=quote))), ours


def is_cluster(url: str) -> bool:
    """Whether the URL names a cluster."""
    return urlsplit(url).scheme in CLUSTER


# The first that fits says what went wrong; no text of Redis is passed on, as it may quote a key.
WORDS: list[tuple[type[BaseException] | tuple[type[BaseException], ...], str]] = [
    ((redis.exceptions.TimeoutError, TimeoutError, asyncio.TimeoutError), "no answer in time"),
    (redis.exceptions.BusyLoadingError, "the server is loading its data"),
    (redis.exceptions.ReadOnlyError, "the server is a read-only replica"),
    (redis.exceptions.AuthenticationError, "the server refuses user name or password"),
    (redis.exceptions.MaxConnectionsError, "all connections are in use"),
    (redis.exceptions.ConnectionError, "no connection to the server"),
    (redis.exceptions.NoPermissionError, "the user may not run the command"),
    (redis.exceptions.OutOfMemoryError, "the server's memory is full"),
]


def failure(verb: str, error: BaseException) -> StoreError:
    """The StoreError for what redis-py raised."""
    for kind, words in WORDS:
        if isinstance(error, kind):
            return StoreError(verb, words)
    code = str(error).partition(" ")[0]
    named = code if code.isascii() and code.isalpha() and code.isupper() else type(error).__name__
    return StoreError(verb, f"the server answers {named}")
