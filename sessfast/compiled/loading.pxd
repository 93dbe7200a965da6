cimport cython

from sessfast.compiled.lifetime cimport Lifetimes
from sessfast.compiled.policy cimport Policy
from sessfast.compiled.saving cimport Saving
from sessfast.compiled.session cimport Session
from sessfast.compiled.state cimport State


cdef class Loading:
    cdef public object codec, decode, tell, clock, imports
    cdef public Policy policy
    cdef public Lifetimes lifetimes
    cdef public Saving saving
    cdef public double plenty
    cdef public bint raises

    @cython.locals(policy=Policy, claimed=tuple)
    cpdef begin(self, Session session, int skip=*, refused=*)
    @cython.locals(state=State, now=double, until=double, key_index=int, candidates=int)
    cpdef feed(self, Session session, tuple claimed, reply, degraded=*)
    @cython.locals(state=State)
    cpdef _be_new(self, Session session, read, int candidates, degraded=*)
    cpdef _pass(self, Session session, tuple claimed, read)
    @cython.locals(state=State)
    cpdef seek(self, Session session, search)
    cpdef _mark(self, State state, search)
    cpdef fail(self, Session session, tuple claimed, error)
