cimport cython

from sessfast.compiled.lifetime cimport Lifetimes
from sessfast.compiled.policy cimport Policy
from sessfast.compiled.session cimport Session
from sessfast.compiled.state cimport State


cdef class Saving:
    cdef public object options, genid, codec, encode, clock, stale
    cdef public Policy policy
    cdef public Lifetimes lifetimes
    cdef public Py_ssize_t max_bytes
    cdef public double stale_for

    cpdef identify(self, Session session, State state)
    @cython.locals(now=double, ttl=double)
    cpdef save(self, Session session, State state, text)
    @cython.locals(state=State)
    cpdef feed(self, Session session, verb, reply)
    cpdef _refuse_size(self, text)
    cpdef _meta(self, Session session, State state, double now)
    cpdef _create(self, Session session, State state)
    cpdef _created(self, Session session, State state, reply)
    cpdef _update(self, Session session, State state, version)
    cpdef _updated(self, Session session, State state, reply)
    cpdef _record(self, Session session, State state)
    cpdef _stored(self, State state, version)
    cpdef _lost(self, State state, bint superseded)
    @cython.locals(now=double, ttl=double)
    cpdef touch(self, Session session, State state, bint forced)
    cpdef _touched(self, State state, reply)
