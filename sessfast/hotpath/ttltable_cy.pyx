# cython: binding=False, embedsignature=True, embedsignature.format=clinic
"""An in-memory table of blobs that expire, bounded by entries and octets: the compiled twin.

No call does more than a bounded piece of work (`ttlslots.pxd` says how), but for `clear`, and for
an entry so large that thousands must make room; these two look at pending signals now and then.

The index hashes with Python's own keyed str hash, so that nobody can aim at one bucket.
Whatever may run Python code (a signal handler; a finalizer, when allocating a tuple or a list
collects garbage) is called while the table is whole, and no pointer into it is used afterwards.
"""

# Methods without binding are called with half the effort; inspect reads their embedded signature.

cimport cython
from cpython.bytes cimport PyBytes_Check, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals, PyErr_Clear
from cpython.object cimport PyObject, PyObject_Hash
from cpython.unicode cimport PyUnicode_CheckExact, PyUnicode_DecodeUTF8
from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint32_t, uint64_t

from sessfast.hotpath.ttlslots cimport (
    FIXED, NONE, Entry, Key, Py_DECREF, PyBytes_AS_STRING, Slots, add, at, bucket, close_slots,
    find, freshen, key_of, new_block, open_slots, prefetch, prefetch_around, remove, trim,
)

cdef extern from "Python.h":
    # declared without `except`, as what they raise is not what we raise
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size)
    long long PyLong_AsLongLongAndOverflow(object number, int *overflow)

cdef extern from *:
    """
    /* Whether `key` is a plain ASCII str, whose octets and hash are there without a call. */
    static CYTHON_INLINE int sessfast_plain_key(
        PyObject *key, const char **text, Py_ssize_t *size, Py_hash_t *hash)
    {
    #ifdef Py_GIL_DISABLED
        return 0;
    #else
        if (!PyUnicode_CheckExact(key) || !PyUnicode_IS_COMPACT_ASCII(key))
            return 0;
        *text = (const char *)PyUnicode_1BYTE_DATA(key);
        *size = PyUnicode_GET_LENGTH(key);
        *hash = ((PyASCIIObject *)key)->hash;
        return *hash != -1;  /* not asked for yet */
    #endif
    }
    """
    bint plain_key "sessfast_plain_key"(
        object key, const char **text, Py_ssize_t *size, Py_hash_t *hash
    ) noexcept

REVISION = 1

cdef enum:
    AHEAD = 8  # slots that a walk fetches ahead
    CHUNK = 1024  # entries removed between two looks at pending signals
    TRIMMED = 16  # segments given back per sweep, at most

OVERHEAD = FIXED
MOST_ENTRIES = 2**32 - 2
MOST_BYTES = 2**62
cdef int64_t LARGEST = 2**32 - 1


cdef class TTLTable:
    # Up to the dashes, inspect reads the signature.
    """TTLTable(max_entries, max_bytes)\n--\n\nAs `ttltable_py.TTLTable`, the specification."""

    def __cinit__(self, max_entries, max_bytes):
        self.max_entries = bounded("max_entries", max_entries, MOST_ENTRIES)
        self.max_bytes = bounded("max_bytes", max_bytes, MOST_BYTES)
        if not open_slots(&self.slots):
            raise MemoryError

    def __dealloc__(self):
        close_slots(&self.slots)

    def __reduce__(self):
        raise TypeError("a TTLTable can't be copied or pickled")

    def __repr__(self):
        return f"<TTLTable of {self.slots.count} entries, {self.slots.size} bytes>"

    def __len__(self):
        """How many entries there are, with the expired ones that were not swept yet."""
        return self.slots.count

    @property
    def nbytes(self):
        """Octets counted against max_bytes: key, blob and OVERHEAD of every entry."""
        return self.slots.size

    @property
    def evictions(self):
        """How many live entries were dropped so far to keep the bounds."""
        return self.evicted

    @cython.critical_section
    cpdef get(self, key, double now):
        """(blob, version, expires) of a live entry, or None. It becomes the freshest."""
        cdef Key sought
        key = read_key(key, &sought)
        cdef uint32_t i = live(self, &sought, now)
        if i == NONE:
            return None
        freshen(&self.slots, i)
        return record_of(at(&self.slots, i))

    @cython.critical_section
    cpdef peek(self, key, double now):
        """As `get`, but neither freshens nor removes anything."""
        cdef Key sought
        key = read_key(key, &sought)
        cdef uint32_t i = find(&self.slots, &sought)
        if i == NONE or not at(&self.slots, i).expires > now:
            return None
        return record_of(at(&self.slots, i))

    @cython.critical_section
    cpdef int64_t create(self, key, blob, double expires, double now) except -2:
        """The new entry's version (1 or more), or 0 where a live entry has the key.

        Never overwrites. ValueError where the entry alone exceeds max_bytes.
        """
        cdef Key sought
        key = read_key(key, &sought)
        cdef PyObject *octets = checked(self, &sought, blob)
        if live(self, &sought, now) != NONE:
            return 0
        cdef Py_ssize_t blob_size = PyBytes_GET_SIZE(blob)
        cdef PyObject *block = new_block(&sought, PyBytes_AS_STRING(octets), blob_size)
        if block == NULL:
            raise MemoryError
        cdef uint32_t i = add(&self.slots, &sought, block, <uint32_t>blob_size)
        if i == NONE:
            Py_DECREF(block)
            raise MemoryError
        return written(self, at(&self.slots, i), expires, now)

    @cython.critical_section
    cpdef int64_t update(self, key, blob, double expires, version, double now) except -2:
        """The new version; 0 where no live entry has the key, -1 where its version is another.

        Never creates. ValueError where the entry alone would exceed max_bytes.
        """
        cdef Key sought
        key = read_key(key, &sought)
        cdef PyObject *octets = checked(self, &sought, blob)
        cdef int64_t expected = read_version(version)
        cdef uint32_t i = live(self, &sought, now)
        if i == NONE:
            return 0
        cdef Entry *entry = at(&self.slots, i)
        if entry.version != expected:
            return -1
        # a new block even for a blob of the same size: somebody may have been given the old one
        cdef Py_ssize_t blob_size = PyBytes_GET_SIZE(blob)
        cdef PyObject *block = new_block(&sought, PyBytes_AS_STRING(octets), blob_size)
        if block == NULL:
            raise MemoryError
        self.slots.size += blob_size - <int64_t>entry.blob_size
        Py_DECREF(entry.block)
        entry.block, entry.blob_size = block, <uint32_t>blob_size
        freshen(&self.slots, i)
        return written(self, entry, expires, now)

    @cython.critical_section
    cpdef bint touch(self, key, double expires, double now) except -1:
        """Give a live entry a new end and make it the freshest; False where there is none.

        Blob and version stay.
        """
        cdef Key sought
        key = read_key(key, &sought)
        cdef uint32_t i = live(self, &sought, now)
        if i == NONE:
            return False
        at(&self.slots, i).expires = expires
        freshen(&self.slots, i)
        return True

    @cython.critical_section
    cpdef bint destroy(self, key) except -1:
        """Remove the entry; whether there was one, live or not."""
        cdef Key sought
        key = read_key(key, &sought)
        cdef uint32_t i = find(&self.slots, &sought)
        if i == NONE:
            return False
        drop(self, i)
        return True

    @cython.critical_section
    cpdef Py_ssize_t sweep(self, double now, Py_ssize_t limit) except -1:
        """Look at the next `limit` slots (1 or more) and remove the expired; how many those were.

        Goes on where the last call stopped, and stops at the last slot: a full pass takes at
        most ceil(slots / limit) + 1 calls.
        """
        if limit < 1:
            raise ValueError("limit must be 1 or more")
        cdef uint32_t i, start = self.hand, removed = 0
        cdef uint32_t stop = stop_of(start, limit, self.slots.used)
        cdef Entry *entry
        self.hand = 0 if stop == self.slots.used else stop
        for i in range(start, stop):
            if i + AHEAD < stop:
                look_ahead(self, i + AHEAD, now)
            entry = at(&self.slots, i)
            if entry.block != NULL and not entry.expires > now:
                drop(self, i)
                removed += 1
        trim(&self.slots, TRIMMED)
        return removed

    @cython.critical_section
    cpdef tuple keys(self, Py_ssize_t cursor, Py_ssize_t limit, double now):
        """The live keys in `limit` slots (1 or more) from `cursor` on, and the next cursor.

        cursor: 0 to begin; the next cursor is 0 at the end
        The list may be empty before the end. What lives through a whole walk is met once.
        """
        if cursor < 0:
            raise ValueError("cursor must be 0 or more")
        if limit < 1:
            raise ValueError("limit must be 1 or more")
        cdef list found = []  # first of all: a list may collect garbage, a str never does
        cdef uint32_t used = self.slots.used
        if cursor >= used:
            return found, 0
        cdef uint32_t i, stop = stop_of(<uint32_t>cursor, limit, used)
        cdef Entry *entry
        for i in range(<uint32_t>cursor, stop):
            if i + AHEAD < stop and at(&self.slots, i + AHEAD).block != NULL:
                prefetch(key_of(at(&self.slots, i + AHEAD)))
            entry = at(&self.slots, i)
            if entry.block != NULL and entry.expires > now:
                found.append(PyUnicode_DecodeUTF8(key_of(entry), entry.key_size, NULL))
        return found, stop if stop < used else 0

    @cython.critical_section
    cpdef clear(self):
        """Remove every entry. Versions go on counting."""
        cdef uint32_t i = self.slots.used, done = 0
        while i > 0:
            i -= 1
            if i >= self.slots.used or at(&self.slots, i).block == NULL:
                continue  # as the table stands after a signal handler
            if i > AHEAD:
                look_ahead(self, i - AHEAD, INFINITY)
            drop(self, i)
            done += 1
            if done % CHUNK == 0:
                PyErr_CheckSignals()
        trim(&self.slots, NONE)


cdef inline uint32_t live(TTLTable table, Key *key, double now) noexcept:
    """The slot of the key's entry, or NONE; an expired one is removed."""
    cdef uint32_t i = find(&table.slots, key)
    if i != NONE and not at(&table.slots, i).expires > now:  # an end that is NaN has passed
        drop(table, i)
        return NONE
    return i


cdef void drop(TTLTable table, uint32_t i) noexcept:
    remove(&table.slots, i)
    if table.slots.count == 0:
        table.hand = 0


cdef inline PyObject *checked(TTLTable table, Key *key, blob) except NULL:
    """`blob`. TypeError unless it is bytes, ValueError where the entry would fit in no way."""
    if not PyBytes_Check(blob):
        raise TypeError("blob must be bytes")
    cdef int64_t size = key.size + PyBytes_GET_SIZE(blob) + FIXED
    if size > table.max_bytes or size > LARGEST:
        raise ValueError("the entry alone exceeds max_bytes")
    return <PyObject *>blob


cdef inline int64_t written(TTLTable table, Entry *entry, double expires, double now) except -2:
    """The version, a new one, of an entry whose octets were written; the others make room."""
    table.last_version += 1
    cdef int64_t version = table.last_version
    entry.expires, entry.version = expires, version
    if table.slots.count > table.max_entries or table.slots.size > table.max_bytes:
        make_room(table, now)
    return version


cdef int make_room(TTLTable table, double now) except -1:
    cdef uint32_t done = 0
    while table.slots.count > table.max_entries or table.slots.size > table.max_bytes:
        table.evicted += at(&table.slots, table.slots.oldest).expires > now
        drop(table, table.slots.oldest)
        done += 1
        if done % CHUNK == 0:
            PyErr_CheckSignals()
    return 0


cdef inline void look_ahead(TTLTable table, uint32_t i, double now) noexcept:
    """Fetch what removing the entry in slot `i` will use, if it is going to be removed."""
    cdef Entry *entry = at(&table.slots, i)
    if entry.block != NULL and not entry.expires > now:
        prefetch(bucket(&table.slots, entry.hash))
        prefetch_around(&table.slots, entry)


cdef inline tuple record_of(Entry *entry):
    # all is read before the tuple is allocated: that may run a finalizer
    blob, version, expires = <object>entry.block, entry.version, entry.expires
    return (blob, version, expires)


cdef inline uint32_t stop_of(uint32_t start, Py_ssize_t limit, uint32_t used) noexcept:
    """Where a walk over `limit` slots from `start` on stops."""
    return used if limit >= <Py_ssize_t>used - start else <uint32_t>(start + limit)


cdef inline object read_key(key, Key *out):
    """`key` as a plain str; its octets and hash in `out` for as long as that str is held."""
    cdef Py_hash_t hash
    if plain_key(key, &out.text, &out.size, &hash):
        out.hash = <uint32_t>hash
        return key
    return read_any_key(key, out)


cdef object read_any_key(key, Key *out):
    """The same for whatever was given. TypeError or ValueError for what is no key."""
    if not PyUnicode_CheckExact(key):
        if not isinstance(key, str):
            raise TypeError("key must be a str")
        key = "".join((key,))
    out.text = PyUnicode_AsUTF8AndSize(key, &out.size)
    if out.text == NULL:
        PyErr_Clear()
        raise ValueError("a key can't hold lone surrogates")
    out.hash = <uint32_t>PyObject_Hash(key)
    return key


cdef inline int64_t read_version(version) except -2:
    """`version`, or a number that is never one where it is too great or negative."""
    cdef int overflow
    cdef int64_t number
    if not isinstance(version, int):
        raise TypeError("version must be an int")
    number = PyLong_AsLongLongAndOverflow(version, &overflow)
    return number if number > 0 else 0


cdef object bounded(str name, value, most):
    """`value` if it is an int from 1 to `most`."""
    if not isinstance(value, int):
        raise TypeError(f"{name} must be an int")
    if not 1 <= value <= most:
        raise ValueError(f"{name} must be from 1 to {most}")
    return value
