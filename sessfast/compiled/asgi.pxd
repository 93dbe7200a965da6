cimport cython

from sessfast.compiled.called cimport Called1, Called3
from sessfast.compiled.front cimport Setup, Words
from sessfast.compiled.lifecycle cimport Lifecycle
from sessfast.compiled.rawdict cimport found
from sessfast.compiled.session cimport AsyncSession
from sessfast.compiled.state cimport State


cdef class Front(Called3):
    cdef public object app, scope_key, driver, session_kind
    cdef public Setup setup
    cdef public Lifecycle rules
    cdef public Words words
    cdef public bint awaits, fetches, looks_closer, secured, waits

    @cython.locals(session=AsyncSession, response=_Response, secure=bint)
    cpdef called(self, scope, receive, send)


cdef class _Response(Called1):
    cdef public Front front
    cdef public object inner, refusal, request, scope
    cdef public AsyncSession session
    cdef public bint started, streamed

    @cython.locals(state=State)
    cpdef called(self, message)
    @cython.locals(front=Front, session=AsyncSession, state=State)
    cpdef _answer(self, message)
    cpdef bint _has_more(self, State state)
    @cython.locals(session=AsyncSession, state=State)
    cpdef _dressed(self, message)
    cpdef _report(self, sent)
