"""The decision table: what to store and which cookie to send when a response starts.

express-session's four predicates over six facts, as one pure function; the tests are its
table (128 rows, tests/fronts/test_decision_table.py).
"""

from __future__ import annotations

from sessfast.hotpath import take_over
from sessfast.records import Sent

Decision = tuple[bool, bool, bool, Sent]  # save, touch, send the cookie; and the code for why

NEW, UNINITIALIZED, ROLLING = Sent.NEW, Sent.UNINITIALIZED, Sent.ROLLING
REFRESHED, UNCHANGED, BROWSER_SESSION = Sent.REFRESHED, Sent.UNCHANGED, Sent.BROWSER_SESSION


class DecisionTable:
    """The decisions of one middleware.

    save_uninitialized, rolling: the options
    keeps_cookie: whether the cookie's attributes are part of the record (express)
    """

    def __init__(self, save_uninitialized: bool, rolling: bool, keeps_cookie: bool) -> None:
        self.save_uninitialized = save_uninitialized
        self.rolling = rolling
        self.keeps_cookie = keeps_cookie

    def decide(
        self,
        fresh: bool,
        modified: bool,
        saved: bool,
        explicitly_saved: bool,
        stored: bool,
        persistent: bool,
        attributes_changed: bool,
    ) -> Decision:
        """What to store and send, for the facts of one response.

        fresh:        the browser doesn't hold this id (new, or regenerated)
        modified:     the id or the data differ from what was loaded
        saved:        exactly this data is known to be in the store
        explicitly_saved: the app has called save()
        stored:       a record exists under this id
        persistent:   the cookie outlives the browser session
        attributes_changed: the app changed the cookie itself

        Express has no row for the last two uses of ours: a record that exists has its cookie
        sent whoever stored it, and a change of the cookie alone counts where the record lacks it.
        """
        if fresh and not self.save_uninitialized and not explicitly_saved:
            save = modified
        else:
            save = not saved
        counts = attributes_changed and not self.keeps_cookie
        if counts and stored:
            save = True
        touch = not fresh and not save
        if fresh:
            if self.save_uninitialized or modified or stored:
                return save, touch, True, NEW
            return save, touch, False, UNINITIALIZED
        if self.rolling:
            return save, touch, True, ROLLING
        if counts:
            return save, touch, True, REFRESHED
        if not modified:
            return save, touch, False, UNCHANGED
        if persistent:
            return save, touch, True, REFRESHED
        return save, touch, False, BROWSER_SESSION


take_over(globals())
