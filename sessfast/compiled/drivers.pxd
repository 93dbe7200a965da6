cimport cython

from sessfast.compiled.lifecycle cimport Lifecycle
from sessfast.compiled.loading cimport Loading
from sessfast.compiled.saving cimport Saving
from sessfast.compiled.session cimport Session


cdef class InlineDriver:
    cdef public Lifecycle rules
    cdef public Loading loading
    cdef public Saving saving
    cdef public object get
    cdef public dict calls

    @cython.locals(loading=Loading)
    cpdef _get_or_bring(self, key)
    cpdef open(self, Session session)
    @cython.locals(rules=Lifecycle)
    cpdef commit(self, Session session, bint unset, bint late)
    cpdef write(self, Session session, tuple call)


cdef class ThreadDriver(InlineDriver):
    cpdef open(self, Session session)


cdef class AwaitDriver:
    cdef public Lifecycle rules
    cdef public Loading loading
    cdef public dict calls

    cpdef open(self, Session session)
