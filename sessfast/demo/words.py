"""What each reason code and each event means, in a sentence for somebody who doesn't know it."""

from __future__ import annotations

from typing import Literal, NamedTuple

from sessfast.records import Read, Sent

Tone = Literal["good", "calm", "warn", "bad", "plain"]


class Word(NamedTuple):
    """How a code is shown: the colour of its badge, and its meaning."""

    tone: Tone
    meaning: str


READ: dict[Read, Word] = {
    Read.UNTOUCHED: Word(
        "calm", "The app never looked at its session, so the cookie was not even checked."
    ),
    Read.LOADED: Word("good", "The cookie's signature is right and the store knew the session."),
    Read.IMPORTED: Word(
        "good", "The cookie of the software before this one was believed: the session was kept."
    ),
    Read.NO_COOKIE: Word("calm", "The browser sent no session cookie: a new visitor."),
    Read.BAD_SIGNATURE: Word(
        "bad", "The cookie was not signed by this server: forged, damaged, or an old secret."
    ),
    Read.MALFORMED: Word("bad", "The cookie does not have the form of a session cookie."),
    Read.DUPLICATE_COOKIE: Word(
        "bad", "The browser sent several cookies of this name, and the options refuse that."
    ),
    Read.INSECURE_CONNECTION: Word(
        "warn", "The cookie is meant for https alone, and this request came over http."
    ),
    Read.UNKNOWN_ID: Word(
        "warn", "Well signed, but the store has no such session: it ended, or timed out."
    ),
    Read.EXPIRED: Word("warn", "The session had reached its absolute end, however busy it was."),
    Read.SUPERSEDED: Word(
        "warn", "This id was replaced by a new one a moment ago; the old one is dead."
    ),
    Read.UNDECODABLE: Word(
        "bad", "The store's record can't be read, so the visitor starts with a fresh session."
    ),
    Read.STORE_DOWN: Word("bad", "The store could not be reached."),
    Read.STALE: Word("warn", "The store could not be reached; a recent copy was shown instead."),
    Read.STORE_NOT_READY: Word(
        "warn", "The store said it is not ready, so the request went on without a session."
    ),
    Read.WRONG_PATH: Word("calm", "The request's path lies outside the cookie's path."),
}

SENT: dict[Sent, Word] = {
    Sent.NEW: Word("good", "A new session was stored, and the browser got its cookie."),
    Sent.ROTATED: Word("good", "The session has a new id, and the browser got the new cookie."),
    Sent.ROLLING: Word("good", "The cookie goes out with every response: rolling is on."),
    Sent.REFRESHED: Word("good", "The cookie was sent again, so that the browser keeps it longer."),
    Sent.CLEARED: Word(
        "warn", "The session was destroyed, and the browser told to drop the cookie."
    ),
    Sent.UNCHANGED: Word("calm", "Nothing about the session changed: no cookie was needed."),
    Sent.UNINITIALIZED: Word(
        "calm", "A new session that nobody wrote to is not stored and gets no cookie."
    ),
    Sent.INSECURE_CONNECTION: Word(
        "warn", "The cookie may only travel over https, and this is http."
    ),
    Sent.BROWSER_SESSION: Word(
        "good", "The data was stored; the browser already holds the only cookie it needs."
    ),
    Sent.UNSET: Word("calm", "The app put the session aside for this request: no cookie was sent."),
    Sent.GONE: Word("warn", "The session had ended meanwhile, and an ended one never comes back."),
    Sent.FAILED: Word("bad", "The session could not be stored, and the client was told so."),
    Sent.TOO_LATE: Word(
        "warn", "The session began after the headers had left: too late for a cookie."
    ),
    Sent.NOTHING: Word("calm", "The session layer stood aside."),
}

EVENTS: dict[str, str] = {
    "conflict": "Another request saved the session first; the two changes were reconciled.",
    "created": "A new record was put into the store.",
    "destroyed": "The record was deleted from the store.",
    "duplicate_cookie": "The browser sent several cookies of this name.",
    "expired": "The session had reached its absolute end.",
    "forged": "A cookie came in that this server never signed.",
    "gone": "The record had disappeared before it could be saved.",
    "imported": "A session of the software before this one was taken over.",
    "insecure_connection": "A cookie for https alone met plain http.",
    "late_change": "The session changed after the headers had left.",
    "legacy_refused": "A cookie of the software before this one could not be believed.",
    "loaded": "The record was read from the store.",
    "outage": "A call to the store failed.",
    "rotated": "The session got a new id; the old one is dead.",
    "saved": "The changed data was written to the store.",
    "superseded": "The cookie's id had been replaced a moment before.",
    "touched": "The record's life was extended, without writing its data again.",
    "undecodable": "The record in the store can't be read.",
    "unknown_id": "The store has no session of this id.",
}


def read_word(code: str) -> Word:
    """The word for a `read` code as events carry it."""
    return READ[Read(code)]


def sent_word(code: str) -> Word:
    """The word for a `sent` code as events carry it."""
    return SENT[Sent(code)]
