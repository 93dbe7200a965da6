"""An in-memory table of blobs that expire, bounded by entries and octets: the compiled twin.

No call does more than a bounded piece of work (`ttlslots.pxd` says how), but for `clear`, and for
an entry so large that thousands must make room; these two look at pending signals now and then.

The index hashes with Python's own keyed str hash, so that nobody can aim at one bucket.
Whatever may run Python code (a signal handler; a finalizer, when allocating a tuple or a list
collects garbage) is called while the table is whole, and no pointer into it is used afterwards.
"""

cimport cython
from cpython.bytes cimport (
    PyBytes_AS_STRING, PyBytes_Check, PyBytes_FromStringAndSize, PyBytes_GET_SIZE,
)
from cpython.exc cimport PyErr_CheckSignals, PyErr_Clear
from cpython.long cimport PyLong_Check
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject_Hash
from cpython.unicode cimport PyUnicode_CheckExact, PyUnicode_DecodeUTF8
from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from sessfast.hotpath.ttlslots cimport (
    FIXED, NONE, Entry, Key, Slots, add, at, bucket, close_slots, entry_size, find, freshen,
    open_slots, prefetch, prefetch_around, remove, trim,
)

cdef extern from "Python.h":
    # declared without `except`, as what they raise is not what we raise
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size)
    unsigned long long PyLong_AsUnsignedLongLong(object number)

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

    cdef object __weakref__
    cdef Slots slots
    cdef uint32_t max_entries, hand
    cdef int64_t max_bytes
    cdef uint64_t last_version, evicted

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
    def get(self, key, double now):
        """(blob, version, expires) of a live entry, or None. It becomes the freshest."""
        cdef Key sought
        key = read_key(key, &sought)
        cdef uint32_t i = self.live(&sought, now)
        if i == NONE:
            return None
        blob = blob_of(at(&self.slots, i))
        freshen(&self.slots, i)
        return record_of(at(&self.slots, i), blob)

    @cython.critical_section
    def peek(self, key, double now):
        """As `get`, but neither freshens nor removes anything."""
        cdef Key sought
        key = read_key(key, &sought)
        cdef uint32_t i = find(&self.slots, &sought)
        if i == NONE or not at(&self.slots, i).expires > now:
            return None
        blob = blob_of(at(&self.slots, i))
        return record_of(at(&self.slots, i), blob)

    @cython.critical_section
    def create(self, key, blob, double expires, double now):
        """The new entry's version (1 or more), or 0 where a live entry has the key.

        Never overwrites. ValueError where the entry alone exceeds max_bytes.
        """
        cdef Key sought
        key = read_key(key, &sought)
        self.check_size(&sought, blob)
        if self.live(&sought, now) != NONE:
            return 0
        cdef Py_ssize_t blob_size = PyBytes_GET_SIZE(blob)
        cdef char *block = <char *>PyMem_Malloc(sought.size + blob_size)
        if block == NULL:
            raise MemoryError
        memcpy(block, sought.text, sought.size)
        memcpy(block + sought.size, PyBytes_AS_STRING(blob), blob_size)
        cdef uint32_t i = add(&self.slots, &sought, block, <uint32_t>blob_size)
        if i == NONE:
            PyMem_Free(block)
            raise MemoryError
        return self.written(at(&self.slots, i), expires, now)

    @cython.critical_section
    def update(self, key, blob, double expires, version, double now):
        """The new version; 0 where no live entry has the key, -1 where its version is another.

        Never creates. ValueError where the entry alone would exceed max_bytes.
        """
        cdef Key sought
        key = read_key(key, &sought)
        self.check_size(&sought, blob)
        if not PyLong_Check(version):
            raise TypeError("version must be an int")
        cdef uint64_t expected = PyLong_AsUnsignedLongLong(version)
        PyErr_Clear()  # out of range gives 2**64 - 1, which is no version either
        cdef uint32_t i = self.live(&sought, now)
        if i == NONE:
            return 0
        cdef Entry *entry = at(&self.slots, i)
        if entry.version != expected:
            return -1
        cdef Py_ssize_t blob_size = PyBytes_GET_SIZE(blob)
        cdef char *block
        if blob_size != entry.blob_size:
            block = <char *>PyMem_Realloc(entry.block, sought.size + blob_size)
            if block == NULL:
                raise MemoryError
            self.slots.size += blob_size - <int64_t>entry.blob_size
            entry.block, entry.blob_size = block, <uint32_t>blob_size
        memcpy(entry.block + sought.size, PyBytes_AS_STRING(blob), blob_size)
        freshen(&self.slots, i)
        return self.written(entry, expires, now)

    @cython.critical_section
    def touch(self, key, double expires, double now):
        """Give a live entry a new end and make it the freshest; False where there is none.

        Blob and version stay.
        """
        cdef Key sought
        key = read_key(key, &sought)
        cdef uint32_t i = self.live(&sought, now)
        if i == NONE:
            return False
        at(&self.slots, i).expires = expires
        freshen(&self.slots, i)
        return True

    @cython.critical_section
    def destroy(self, key):
        """Remove the entry; whether there was one, live or not."""
        cdef Key sought
        key = read_key(key, &sought)
        cdef uint32_t i = find(&self.slots, &sought)
        if i == NONE:
            return False
        self.drop(i)
        return True

    @cython.critical_section
    def sweep(self, double now, Py_ssize_t limit):
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
                self.look_ahead(i + AHEAD, now)
            entry = at(&self.slots, i)
            if entry.block != NULL and not entry.expires > now:
                self.drop(i)
                removed += 1
        trim(&self.slots, TRIMMED)
        return removed

    @cython.critical_section
    def keys(self, Py_ssize_t cursor, Py_ssize_t limit, double now):
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
            if i + AHEAD < stop:
                prefetch(at(&self.slots, i + AHEAD).block)
            entry = at(&self.slots, i)
            if entry.block != NULL and entry.expires > now:
                found.append(PyUnicode_DecodeUTF8(entry.block, entry.key_size, NULL))
        return found, stop if stop < used else 0

    @cython.critical_section
    def clear(self):
        """Remove every entry. Versions go on counting."""
        cdef uint32_t i = self.slots.used, done = 0
        while i > 0:
            i -= 1
            if i >= self.slots.used or at(&self.slots, i).block == NULL:
                continue  # as the table stands after a signal handler
            if i > AHEAD:
                self.look_ahead(i - AHEAD, INFINITY)
            self.drop(i)
            done += 1
            if done % CHUNK == 0:
                PyErr_CheckSignals()
        trim(&self.slots, NONE)

    cdef uint32_t live(self, Key *key, double now) noexcept:
        """The slot of the key's entry, or NONE; an expired one is removed."""
        cdef uint32_t i = find(&self.slots, key)
        if i != NONE and not at(&self.slots, i).expires > now:  # an end that is NaN has passed
            self.drop(i)
            return NONE
        return i

    cdef void drop(self, uint32_t i) noexcept:
        remove(&self.slots, i)
        if self.slots.count == 0:
            self.hand = 0

    cdef int check_size(self, Key *key, blob) except -1:
        """TypeError unless `blob` is bytes, ValueError where the entry would fit in no way."""
        if not PyBytes_Check(blob):
            raise TypeError("blob must be bytes")
        cdef int64_t size = key.size + PyBytes_GET_SIZE(blob) + FIXED
        if size > self.max_bytes or size > LARGEST:
            raise ValueError("the entry alone exceeds max_bytes")
        return 0

    cdef object written(self, Entry *entry, double expires, double now):
        """The version, a new one, of an entry whose octets were written; the others make room."""
        self.last_version += 1
        cdef uint64_t version = self.last_version
        entry.expires, entry.version = expires, version
        cdef uint32_t done = 0
        while self.slots.count > self.max_entries or self.slots.size > self.max_bytes:
            self.evicted += at(&self.slots, self.slots.oldest).expires > now
            self.drop(self.slots.oldest)
            done += 1
            if done % CHUNK == 0:
                PyErr_CheckSignals()
        return version

    cdef void look_ahead(self, uint32_t i, double now) noexcept:
        """Fetch what removing the entry in slot `i` will use, if it is going to be removed."""
        cdef Entry *entry = at(&self.slots, i)
        if entry.block != NULL and not entry.expires > now:
            prefetch(bucket(&self.slots, entry.hash))
            prefetch_around(&self.slots, entry)


cdef inline bytes blob_of(Entry *entry):
    return PyBytes_FromStringAndSize(entry.block + entry.key_size, entry.blob_size)


cdef inline tuple record_of(Entry *entry, bytes blob):
    # the numbers are read before the tuple is allocated: that may run a finalizer
    version, expires = entry.version, entry.expires
    return (blob, version, expires)


cdef inline uint32_t stop_of(uint32_t start, Py_ssize_t limit, uint32_t used) noexcept:
    """Where a walk over `limit` slots from `start` on stops."""
    return used if limit >= <Py_ssize_t>used - start else <uint32_t>(start + limit)


cdef object read_key(key, Key *out):
    """`key` as a plain str; its octets and hash in `out` for as long as that str is held."""
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


cdef object bounded(str name, value, most):
    """`value` if it is an int from 1 to `most`."""
    if not isinstance(value, int):
        raise TypeError(f"{name} must be an int")
    if not 1 <= value <= most:
        raise ValueError(f"{name} must be from 1 to {most}")
    return value
