cimport cython

from sessfast.compiled.meta cimport Meta
from sessfast.compiled.policy cimport Policy
from sessfast.compiled.session cimport Session
from sessfast.compiled.state cimport State


cdef class Lifetimes:
    cdef public Policy policy
    cdef public object codec, clock
    cdef public bint is_endless, is_static, static_persistent
    cdef public double plenty, static_max_age, static_span, static_ttl

    cpdef bint is_plain(self, State state)
    cpdef bint is_dated(self, State state)
    @cython.locals(end=double)
    cpdef double cookie_end(self, State state, double now)
    cpdef bint _is_like_all(self, State state)
    @cython.locals(stored=double, today=double, span=double)
    cpdef keep(self, State state, Meta meta)
    @cython.locals(state=State, span=double)
    cpdef begun(self, Session session, double now)
    cpdef cookie(self, Session session)
    cpdef attributes(self, Session session, State state)
    cpdef max_age(self, Session session)
    @cython.locals(state=State, left=double, ttl=double)
    cpdef double ttl(self, Session session, double now)
    cpdef bint touch_is_due(self, State state, double ttl, double now)
    cpdef bint is_persistent(self, Session session, State state)
