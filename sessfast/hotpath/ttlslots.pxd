"""The C structures under the compiled TTL table: slots, the order of last use, the hash index.

Entries live in slots, addressed by 32-bit numbers and never moved. Each stands in a chain of the
index, and between two neighbours in the order of last use; a free slot has no block and stands
in the chain of free ones. An entry's octets are one block of Python's allocator (glibc's would
once in a while tidy up for many milliseconds): a bytes object that is the blob, so that it can be
handed out without a copy, and behind its end, where nobody looks, the key.

No function does more than a bounded piece of work. The index grows and shrinks by linear hashing,
a few buckets per entry added or removed (W. Litwin, VLDB 1980); slots and buckets are allocated
a segment at a time. Nothing here runs Python code, and nothing reports errors but by its result.
"""

from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcmp, memcpy, memset

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define SESSFAST_PREFETCH(address) __builtin_prefetch(address)
    #else
    #define SESSFAST_PREFETCH(address) ((void)(address))
    #endif
    #define SESSFAST_NONE 0xFFFFFFFFu
    """
    void prefetch "SESSFAST_PREFETCH"(const void *address) noexcept nogil
    const uint32_t NONE "SESSFAST_NONE"  # no slot

cdef extern from "Python.h":
    # declared without types that Cython would count references of
    PyObject *PyBytes_FromStringAndSize(const char *octets, Py_ssize_t size)
    char *PyBytes_AS_STRING(PyObject *block) noexcept
    void Py_DECREF(PyObject *block) noexcept  # a bytes object runs no Python code when it goes
    void Py_SET_SIZE(PyObject *block, Py_ssize_t size) noexcept
    void PyErr_Clear() noexcept

cdef enum:
    SLAB_BITS = 10  # slots per segment: 1024, 48 KB
    SLAB = 1 << SLAB_BITS
    SHELF_BITS = 12  # buckets per segment: 4096, 16 KB
    SHELF = 1 << SHELF_BITS
    SPLITS = 3  # buckets added per entry, at most; two keep pace
    MERGES = 8  # buckets given up per removed entry, at most; eight keep pace
    # what an entry takes beside its octets: 48 here, 8 in buckets, 33 of a bytes object, and the
    # 0 to 15 by which the allocator rounds up
    FIXED = 104

cdef struct Entry:
    double expires
    int64_t version
    PyObject *block  # the blob, with the key behind it; NULL in a free slot
    uint32_t key_size
    uint32_t blob_size
    uint32_t hash
    uint32_t chain  # the next entry of the bucket; of a free slot: the next free one
    uint32_t older  # the neighbours in order of last use
    uint32_t newer

cdef struct Key:
    const char *text
    Py_ssize_t size
    uint32_t hash

cdef struct Slots:
    Entry **slabs
    uint32_t slab_count, slab_room  # segments there are, pointers there is room for
    uint32_t used  # slots ever taken since the table was last empty
    uint32_t free  # the free slot to take next
    uint32_t count  # entries
    uint32_t oldest, newest  # the two ends of the order of last use
    uint32_t **shelves
    uint32_t shelf_count, shelf_room
    uint32_t buckets, mask  # mask: the lowest 2**n - 1 that holds every bucket number
    int64_t size  # the sum of entry_size


cdef inline bint open_slots(Slots *slots) noexcept:
    """Make zeroed `slots` an empty table; False where memory is out."""
    slots.free = slots.oldest = slots.newest = NONE
    slots.buckets, slots.mask = SHELF, SHELF - 1
    return add_shelf(slots)


cdef inline void close_slots(Slots *slots) noexcept:
    """Free everything; `slots` can't be used any more."""
    cdef uint32_t i
    for i in range(slots.used):
        if at(slots, i).block != NULL:
            Py_DECREF(at(slots, i).block)
    for i in range(slots.slab_count):
        PyMem_Free(slots.slabs[i])
    for i in range(slots.shelf_count):
        PyMem_Free(slots.shelves[i])
    PyMem_Free(slots.slabs)
    PyMem_Free(slots.shelves)


cdef inline Entry *at(Slots *slots, uint32_t i) noexcept:
    return slots.slabs[i >> SLAB_BITS] + (i & (SLAB - 1))


cdef inline int64_t entry_size(Entry *entry) noexcept:
    return <int64_t>entry.key_size + entry.blob_size + FIXED


# -- entries -------------------------------------------------------------------------------


cdef inline PyObject *new_block(Key *key, const char *blob, Py_ssize_t blob_size) noexcept:
    """A copy of the blob, as bytes with the key behind them, or NULL where memory is out.

    A copy, as what an encoder returns may be the beginning of a large buffer.
    """
    cdef PyObject *block = PyBytes_FromStringAndSize(NULL, blob_size + key.size)
    if block == NULL:
        PyErr_Clear()
        return NULL
    cdef char *octets = PyBytes_AS_STRING(block)
    memcpy(octets, blob, blob_size)
    if key.size:  # without it this may be the one empty bytes object that everybody has
        octets[blob_size] = 0
        memcpy(octets + blob_size + 1, key.text, key.size)  # the octet more is that of bytes' own 0
        Py_SET_SIZE(block, blob_size)
    return block


cdef inline char *key_of(Entry *entry) noexcept:
    """The key's octets."""
    return PyBytes_AS_STRING(entry.block) + entry.blob_size + 1


cdef inline uint32_t find(Slots *slots, Key *key) noexcept:
    """The slot of the key's entry, or NONE."""
    cdef uint32_t i = bucket(slots, key.hash)[0]
    cdef Entry *entry
    while i != NONE:
        entry = at(slots, i)
        if entry.hash == key.hash and entry.key_size == <uint32_t>key.size:
            prefetch_around(slots, entry)
            if memcmp(key_of(entry), key.text, key.size) == 0:
                return i
        i = entry.chain
    return NONE


cdef inline uint32_t add(Slots *slots, Key *key, PyObject *block, uint32_t blob_size) noexcept:
    """A new entry's slot, as the most recently used, or NONE where memory is out.

    block: of the key, which has no entry yet, and the blob; it belongs to the entry now
    The entry's version and end are the caller's to set.
    """
    cdef uint32_t i = slots.free
    grow_index(slots)
    if i != NONE:
        slots.free = at(slots, i).chain
    else:
        i = slots.used
        if i >> SLAB_BITS == slots.slab_count and not add_slab(slots):
            return NONE
        slots.used += 1
    cdef Entry *entry = at(slots, i)
    cdef uint32_t *chain = bucket(slots, key.hash)
    entry.block, entry.key_size, entry.blob_size = block, <uint32_t>key.size, blob_size
    entry.hash, entry.chain = key.hash, chain[0]
    chain[0] = i
    link(slots, i)
    slots.count += 1
    slots.size += entry_size(entry)
    return i


cdef inline void remove(Slots *slots, uint32_t i) noexcept:
    """Free the entry in slot `i`."""
    cdef Entry *entry = at(slots, i)
    cdef uint32_t *chain = bucket(slots, entry.hash)
    while chain[0] != i:
        chain = &at(slots, chain[0]).chain
    chain[0] = entry.chain
    unlink(slots, entry)
    slots.size -= entry_size(entry)
    Py_DECREF(entry.block)
    entry.block, entry.chain, slots.free = NULL, slots.free, i
    slots.count -= 1
    shrink_index(slots)
    if slots.count == 0:
        # an empty table needs no slots: this is how the room of a rush hour is given back
        slots.used, slots.free = 0, NONE


cdef inline void prefetch_around(Slots *slots, Entry *entry) noexcept:
    """Have the cache misses of using or removing an entry at once, not one after another."""
    prefetch(entry.block)
    prefetch(key_of(entry))
    if entry.older != NONE:
        prefetch(at(slots, entry.older))
    if entry.newer != NONE:
        prefetch(at(slots, entry.newer))


# -- the order of last use -------------------------------------------------------------------


cdef inline void freshen(Slots *slots, uint32_t i) noexcept:
    """Make the entry the most recently used."""
    if i != slots.newest:
        unlink(slots, at(slots, i))
        link(slots, i)


cdef inline void link(Slots *slots, uint32_t i) noexcept:
    cdef Entry *entry = at(slots, i)
    entry.older, entry.newer = slots.newest, NONE
    if slots.newest != NONE:
        at(slots, slots.newest).newer = i
    else:
        slots.oldest = i
    slots.newest = i


cdef inline void unlink(Slots *slots, Entry *entry) noexcept:
    if entry.older != NONE:
        at(slots, entry.older).newer = entry.newer
    else:
        slots.oldest = entry.newer
    if entry.newer != NONE:
        at(slots, entry.newer).older = entry.older
    else:
        slots.newest = entry.older


# -- segments of slots -----------------------------------------------------------------------


cdef inline bint add_slab(Slots *slots) noexcept:
    cdef void *slabs = with_room(slots.slabs, slots.slab_count, &slots.slab_room)
    if slabs == NULL:
        return False
    slots.slabs = <Entry **>slabs
    cdef void *slab = PyMem_Malloc(SLAB * sizeof(Entry))
    if slab == NULL:
        return False
    slots.slabs[slots.slab_count] = <Entry *>slab
    slots.slab_count += 1
    return True


cdef inline void trim(Slots *slots, uint32_t most) noexcept:
    """Give back up to `most` segments beyond those in use and a spare one."""
    while slots.slab_count > (slots.used >> SLAB_BITS) + 2 and most > 0:
        slots.slab_count -= 1
        most -= 1
        PyMem_Free(slots.slabs[slots.slab_count])


# -- the index: linear hashing, two to eight buckets per entry ---------------------------------


cdef inline uint32_t *bucket(Slots *slots, uint32_t hash) noexcept:
    cdef uint32_t b = hash & slots.mask
    if b >= slots.buckets:  # not split yet: its entries are where they were at half the size
        b = hash & (slots.mask >> 1)
    return slots.shelves[b >> SHELF_BITS] + (b & (SHELF - 1))


cdef inline void grow_index(Slots *slots) noexcept:
    """Split a few buckets while there are fewer than two per entry."""
    cdef uint32_t budget = SPLITS, b
    cdef uint32_t *kept
    cdef uint32_t *split
    cdef Entry *entry
    while slots.buckets >> 1 <= slots.count and slots.buckets < NONE and budget > 0:
        b = slots.buckets
        if b >> SHELF_BITS == slots.shelf_count and not add_shelf(slots):
            return  # chains grow longer, nothing else
        if b > slots.mask:
            slots.mask = slots.mask << 1 | 1
        kept = bucket(slots, b)  # its parent, as long as it isn't counted
        slots.buckets += 1
        split = bucket(slots, b)
        while kept[0] != NONE:
            entry = at(slots, kept[0])
            if entry.hash & slots.mask == b:
                split[0] = kept[0]
                kept[0] = entry.chain
                split = &entry.chain
            else:
                kept = &entry.chain
        split[0] = NONE
        budget -= 1


cdef inline void shrink_index(Slots *slots) noexcept:
    """Merge a few buckets into their parents while there are more than eight per entry."""
    cdef uint32_t budget = MERGES
    cdef uint32_t *given_up
    cdef uint32_t *chain
    while slots.buckets >> 3 > slots.count and slots.buckets > SHELF and budget > 0:
        slots.buckets -= 1
        given_up = slots.shelves[slots.buckets >> SHELF_BITS] + (slots.buckets & (SHELF - 1))
        chain = bucket(slots, slots.buckets)  # its parent, now that it isn't counted
        while chain[0] != NONE:
            chain = &at(slots, chain[0]).chain
        chain[0] = given_up[0]
        if slots.buckets == (slots.mask >> 1) + 1:
            slots.mask >>= 1
        if slots.shelf_count > (slots.buckets >> SHELF_BITS) + 2:
            slots.shelf_count -= 1
            PyMem_Free(slots.shelves[slots.shelf_count])
        budget -= 1


cdef inline bint add_shelf(Slots *slots) noexcept:
    cdef void *shelves = with_room(slots.shelves, slots.shelf_count, &slots.shelf_room)
    if shelves == NULL:
        return False
    slots.shelves = <uint32_t **>shelves
    cdef void *shelf = PyMem_Malloc(SHELF * sizeof(uint32_t))
    if shelf == NULL:
        return False
    memset(shelf, 0xFF, SHELF * sizeof(uint32_t))  # NONE everywhere
    slots.shelves[slots.shelf_count] = <uint32_t *>shelf
    slots.shelf_count += 1
    return True


cdef inline void *with_room(void *pointers, uint32_t count, uint32_t *room) noexcept:
    """`pointers`, perhaps moved, with room for one more than `count`; NULL: memory is out."""
    if count < room[0]:
        return pointers
    cdef uint32_t wanted = room[0] * 2 if room[0] else 4
    cdef void *moved = PyMem_Realloc(pointers, wanted * sizeof(void *))
    if moved != NULL:
        room[0] = wanted
    return moved
