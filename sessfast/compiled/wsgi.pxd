from sessfast.compiled.front cimport Setup
from sessfast.compiled.lifecycle cimport Lifecycle
from sessfast.compiled.session cimport Session


cdef class SessionMiddleware:
    cdef public object app, environ_key, driver, is_watched
    cdef public Setup setup
    cdef public Lifecycle rules
    cdef public bint looks_closer, sends_vary
    cdef object __weakref__


cdef class _Response:
    cdef public object environ, refusal, start_response
    cdef public SessionMiddleware middleware
    cdef public Session session
    cdef public bint started

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
