cimport cython

from sessfast.compiled.called cimport Called2, Called2Or3
from sessfast.compiled.drivers cimport InlineDriver
from sessfast.compiled.front cimport Setup, Words
from sessfast.compiled.lifecycle cimport Lifecycle
from sessfast.compiled.rawdict cimport found
from sessfast.compiled.session cimport Session
from sessfast.compiled.state cimport State


cdef class SessionMiddleware(Called2):
    cdef public object app, environ_key, session_kind
    cdef public Setup setup
    cdef public Lifecycle rules
    cdef public InlineDriver driver
    cdef public Words words
    cdef public bint looks_closer
    cdef object __weakref__

    @cython.locals(session=Session, response=_Response)
    cpdef called(self, environ, start_response)


cdef class _Response(Called2Or3):
    cdef public object environ, refusal, request, start_response
    cdef public SessionMiddleware middleware
    cdef public Session session
    cdef public bint started

    @cython.locals(session=Session, middleware=SessionMiddleware, state=State, passes=bint)
    cpdef called(self, status, headers, exc_info=*)
    cpdef _start(self, status, headers, exc_info)
    cpdef _report(self, sent)
    cpdef finish(self)
    cpdef refuse(self, error)
    cpdef replace(self, body)
    cpdef _refused_body(self, answer)


cdef class _Body:
    cdef public _Response response
    cdef public object body, chunks
    cdef public bint ended

    cpdef _instead(self, body)
    cpdef _end(self)
