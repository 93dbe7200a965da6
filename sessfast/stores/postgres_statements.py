"""What is said to PostgreSQL: one statement per verb, for two layouts of the table. No I/O.

The time is ours and comes as a parameter: the rules decide by the same clock how long a session
lives, and a test can move it. So hosts that share a table must have the same time, as any that
use NTP have.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from sessfast.errors import OptionsError, StoreError
from sessfast.stores.contract import Version
from sessfast.stores.node_keys import node_key, our_sid

LONGEST_TTL = 100 * 366 * 86_400.0
BATCH = 500  # rows that one statement of all() and clear() takes

Row = tuple[Any, ...]


class Statements(NamedTuple):
    """The SQL of a layout. The names of parameters mean the same in all of them."""

    schema: str
    get: str
    get_and_touch: str
    create: str
    update: str
    touch: str
    destroy: str
    page: str
    length: str
    clear: str
    sweep: str


class Layout(Protocol):
    """A table, and how records become rows of it."""

    table: str
    sql: Statements

    def key(self, sid: str, verb: str = "get") -> str: ...
    def sid(self, key: str) -> str: ...
    def end(self, now: float, ttl: float) -> float: ...
    def payload(self, verb: str, blob: bytes) -> Any: ...
    def record(self, row: Row) -> tuple[bytes, Version, float]: ...
    def version(self, row: Row) -> Version: ...
    def known(self, version: Version) -> Any: ...


# Every verb says `expires > now` by itself: what has expired is there, but nobody sees it.
#
# A version is drawn from the column's own sequence with each write, so that none ever returns.
#
# There is no index on `expires`: with one, a touch could not be a HOT update, which leaves the
# indexes alone and cleans up after itself in the page. For the same reason a fifth of a page is
# kept free. `sweep` goes through the primary key instead, a page of rows at a time; it takes no
# row that somebody else holds, and looks at the end once more when it has the row.
NATIVE = Statements(
    schema="""
CREATE TABLE IF NOT EXISTS {table} (
    sid     text COLLATE "C" PRIMARY KEY,
    blob    bytea NOT NULL,
    version bigint GENERATED ALWAYS AS IDENTITY,
    expires timestamptz NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
""",
    get="""
SELECT blob, version, extract(epoch FROM expires)::float8 FROM {table}
WHERE sid = %(sid)s AND expires > to_timestamp(%(now)s)
""",
    get_and_touch="""
UPDATE {table} SET expires = to_timestamp(%(end)s)
WHERE sid = %(sid)s AND expires > to_timestamp(%(now)s)
RETURNING blob, version, extract(epoch FROM expires)::float8
""",
    create="""
INSERT INTO {table} AS held (sid, blob, expires)
VALUES (%(sid)s, %(payload)s, to_timestamp(%(end)s))
ON CONFLICT (sid) DO UPDATE
SET blob = excluded.blob, version = DEFAULT, expires = excluded.expires
WHERE held.expires <= to_timestamp(%(now)s)
RETURNING version
""",
    update="""
UPDATE {table} SET blob = %(payload)s, version = DEFAULT, expires = to_timestamp(%(end)s)
WHERE sid = %(sid)s AND version = %(version)s::bigint AND expires > to_timestamp(%(now)s)
RETURNING version
""",
    touch="""
UPDATE {table} SET expires = to_timestamp(%(end)s)
WHERE sid = %(sid)s AND expires > to_timestamp(%(now)s)
""",
    destroy="""
DELETE FROM {table} WHERE sid = %(sid)s
""",
    page="""
SELECT sid, blob, version, extract(epoch FROM expires)::float8 FROM {table}
WHERE sid > %(after)s AND expires > to_timestamp(%(now)s) ORDER BY sid LIMIT %(limit)s
""",
    length="""
SELECT count(*) FROM {table} WHERE expires > to_timestamp(%(now)s)
""",
    clear="""
DELETE FROM {table} WHERE sid IN (SELECT sid FROM {table} LIMIT %(limit)s)
""",
    sweep="""
WITH page AS MATERIALIZED (
    SELECT sid FROM {table} WHERE sid > %(after)s ORDER BY sid LIMIT %(limit)s
), held AS MATERIALIZED (
    SELECT sid FROM {table}
    WHERE sid IN (SELECT sid FROM page) AND expires <= to_timestamp(%(now)s)
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM {table} WHERE sid IN (SELECT sid FROM held) RETURNING sid
)
SELECT (SELECT max(sid) FROM page), (SELECT count(*) FROM page), (SELECT count(*) FROM gone)
""",
)

# `sess::text` is what Node wrote, octet for octet, as long as the column is json and not jsonb.
# `expire` has no time zone: it is in that of the database session, which must be Node's.
EXPRESS = Statements(
    schema="""
CREATE TABLE IF NOT EXISTS {table} (
    sid    varchar NOT NULL CONSTRAINT "{name}_pkey" PRIMARY KEY,
    sess   json NOT NULL,
    expire timestamp(6) NOT NULL
);
CREATE INDEX IF NOT EXISTS "IDX_{name}_expire" ON {table} (expire);
""",
    get="""
SELECT sess::text, extract(epoch FROM expire::timestamptz)::float8 FROM {table}
WHERE sid = %(sid)s AND expire > to_timestamp(%(now)s)
""",
    get_and_touch="""
UPDATE {table} SET expire = to_timestamp(%(end)s)
WHERE sid = %(sid)s AND expire > to_timestamp(%(now)s)
RETURNING sess::text, extract(epoch FROM expire::timestamptz)::float8
""",
    create="""
INSERT INTO {table} AS held (sid, sess, expire)
VALUES (%(sid)s, %(payload)s::text::json, to_timestamp(%(end)s))
ON CONFLICT (sid) DO UPDATE SET sess = excluded.sess, expire = excluded.expire
WHERE held.expire <= to_timestamp(%(now)s)
RETURNING sess::text
""",
    update="""
UPDATE {table} SET sess = %(payload)s::text::json, expire = to_timestamp(%(end)s)
WHERE sid = %(sid)s AND sess::text = %(version)s::text AND expire > to_timestamp(%(now)s)
RETURNING sess::text
""",
    touch="""
UPDATE {table} SET expire = to_timestamp(%(end)s)
WHERE sid = %(sid)s AND expire > to_timestamp(%(now)s)
""",
    destroy=NATIVE.destroy,
    page="""
SELECT sid, sess::text, extract(epoch FROM expire::timestamptz)::float8 FROM {table}
WHERE sid > %(after)s AND expire > to_timestamp(%(now)s) ORDER BY sid LIMIT %(limit)s
""",
    length=NATIVE.length.replace("expires", "expire"),
    clear=NATIVE.clear,
    sweep=NATIVE.sweep.replace("expires", "expire"),
)


def named(statements: Statements, table: str) -> tuple[str, Statements]:
    """The table's name in quotes, and the statements for it. OptionsError for no name."""
    if not re.fullmatch(r"\w+(\.\w+)?", table):
        raise OptionsError(["store: table must be a name, or schema.name, of letters and digits"])
    quoted = ".".join(f'"{part}"' for part in table.split("."))
    name = table.rpartition(".")[2]
    filled = (text.strip().replace("{table}", quoted) for text in statements)
    return quoted, Statements(*(text.replace("{name}", name) for text in filled))


class NativeLayout:
    """Our own table. `text` can't hold every str: the rest is written with backslashes."""

    def __init__(self, table: str) -> None:
        self.table, self.sql = named(NATIVE, table)

    def key(self, sid: str, verb: str = "get") -> str:
        if sid.isascii() and "\\" not in sid and "\0" not in sid:
            return sid
        plain = sid.replace("\\", "\\\\").replace("\0", "\\0")
        return plain.encode("utf-8", "backslashreplace").decode()

    def sid(self, key: str) -> str:
        return re.sub(r"\\(\\|0|u[0-9a-f]{4})", unescaped, key)

    def end(self, now: float, ttl: float) -> float:
        return now + min(ttl, LONGEST_TTL)

    def payload(self, verb: str, blob: bytes) -> Any:
        return blob

    def record(self, row: Row) -> tuple[bytes, Version, float]:
        return row[0], row[1], row[2]

    def version(self, row: Row) -> Version:
        return row[0]

    def known(self, version: Version) -> Any:
        return version


class ExpressLayout:
    """The table of connect-pg-simple: bare sids, JSON, whole seconds rounded up.

    The version is the text itself: whoever holds what is stored has seen the last write, or one
    just like it.
    """

    def __init__(self, table: str) -> None:
        self.table, self.sql = named(EXPRESS, table)

    def key(self, sid: str, verb: str = "get") -> str:
        return node_key(verb, sid)

    def sid(self, key: str) -> str:
        return our_sid(key)

    def end(self, now: float, ttl: float) -> float:
        return math.ceil(now + min(ttl, LONGEST_TTL))

    def payload(self, verb: str, blob: bytes) -> Any:
        try:
            return blob.decode()
        except UnicodeDecodeError:
            raise StoreError(verb, "such a table keeps JSON, and this is none") from None

    def record(self, row: Row) -> tuple[bytes, Version, float]:
        blob = row[0].encode()
        return blob, blob, row[1]

    def version(self, row: Row) -> Version:
        return row[0].encode()

    def known(self, version: Version) -> Any:
        return version.decode()


# layout: (class, name of its table unless another is asked for)
LAYOUTS: dict[str, tuple[Callable[[str], Layout], str]] = {
    "native": (NativeLayout, "sessfast_sessions"),
    "connect-pg-simple": (ExpressLayout, "session"),
}


def unescaped(found: re.Match[str]) -> str:
    """What stands behind a backslash in a key."""
    word = found[1]
    if word == "\\":
        return word
    return "\0" if word == "0" else chr(int(word[1:], 16))
