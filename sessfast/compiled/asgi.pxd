from sessfast.compiled.front cimport Setup
from sessfast.compiled.lifecycle cimport Lifecycle
from sessfast.compiled.session cimport AsyncSession, Session
from sessfast.compiled.state cimport State


cdef class Front:
    cdef public object app, scope_key, driver, is_watched
    cdef public Setup setup
    cdef public Lifecycle rules
    cdef public bint looks_closer, sends_vary, waits

    cpdef serve(self, scope, receive, send)


cdef class _Response:
    cdef public Front front
    cdef public object inner, refusal, request, scope
    cdef public AsyncSession session
    cdef public bint started, streamed

    cpdef _after(self, message)
    cpdef _answer(self, message, State state)
    cpdef bint _unset(self)
    cpdef bint _has_more(self, State state)
    cpdef _dressed(self, message)
    cpdef _report(self, sent)
