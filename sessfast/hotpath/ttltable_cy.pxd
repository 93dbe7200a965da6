"""The compiled table's C types and methods, for what is compiled above it and calls it as C."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from sessfast.hotpath.ttlslots cimport Slots


cdef class TTLTable:
    cdef object __weakref__
    cdef Slots slots
    cdef uint32_t max_entries, hand
    cdef int64_t max_bytes, last_version
    cdef uint64_t evicted

    cpdef get(self, key, double now)
    cpdef peek(self, key, double now)
    cpdef int64_t create(self, key, blob, double expires, double now) except -2
    cpdef int64_t update(self, key, blob, double expires, version, double now) except -2
    cpdef bint touch(self, key, double expires, double now) except -1
    cpdef bint destroy(self, key) except -1
    cpdef Py_ssize_t sweep(self, double now, Py_ssize_t limit) except -1
    cpdef tuple keys(self, Py_ssize_t cursor, Py_ssize_t limit, double now)
    cpdef clear(self)
