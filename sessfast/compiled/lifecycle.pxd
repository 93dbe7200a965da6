cimport cython

from sessfast.compiled.decision cimport DecisionTable
from sessfast.compiled.lifetime cimport Lifetimes
from sessfast.compiled.loading cimport Loading
from sessfast.compiled.policy cimport Policy
from sessfast.compiled.saving cimport Saving
from sessfast.compiled.session cimport Session
from sessfast.compiled.state cimport State


cdef class Lifecycle:
    cdef public object options, codec, clock, dumps, same
    cdef public Policy policy
    cdef public Lifetimes lifetimes
    cdef public Saving saving
    cdef public Loading loading
    cdef public DecisionTable table
    cdef public bint eager, ends_emptied, keeps_cookie, resave

    cpdef identify(self, Session session)
    cpdef cookie(self, Session session)
    @cython.locals(state=State)
    cpdef bint is_settled(self, Session session)
    cpdef bint opens_to_commit(self, Session session, bint unset)
    @cython.locals(state=State, fresh=bint, modified=bint, save=bint, touch=bint)
    cpdef settle(self, Session session, bint unset, bint late)
    @cython.locals(state=State)
    cpdef finish(self, Session session, bint late)
    cpdef _outcome(self, Session session, State state, bint late)
    cpdef bint _delivers(self, Session session, State state, bint late)
    cpdef _compare(self, Session session, State state)
    cpdef bint _is_emptied(self, Session session, State state)
    cpdef bint _is_saved(self, State state, text)
    cpdef bint _undeliverable(self, Session session, State state)
    cpdef _send(self, Session session, State state)
    cpdef _dated_cookie(self, Session session, State state, sid)
    cpdef bint _renews(self, State state)
    cpdef _clear(self, Session session, State state, bint late)
    cpdef _unset(self, State state)
    cpdef _destruction(self, State state)
    cpdef _end(self, Session session, State state)
    @cython.locals(state=State)
    cpdef begin_save(self, Session session)
