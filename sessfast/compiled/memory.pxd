from sessfast.hotpath.ttltable_cy cimport TTLTable as CompiledTable

cimport cython
from libc.stdint cimport int64_t


cdef class Verbs:
    cdef public object clock
    cdef public CompiledTable _table

    cpdef get(self, sid)
    @cython.locals(now=double)
    cpdef create(self, sid, blob, double ttl)
    @cython.locals(now=double, reply=int64_t)
    cpdef update(self, sid, blob, double ttl, version)
    @cython.locals(now=double)
    cpdef touch(self, sid, double ttl)
    cpdef destroy(self, sid)
