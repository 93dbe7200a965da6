cimport cython

from sessfast.compiled.lifecycle cimport Lifecycle
from sessfast.compiled.policy cimport Policy
from sessfast.compiled.report cimport Report
from sessfast.compiled.session cimport Session


cdef class Words:
    cdef public object lower, cookie, vary, cache_control, vary_cookie, set_cookie, cache_wanted
    cdef public object cache_public, star, comma, joint
    cdef public bint sends_cache

    cpdef list varied(self, headers)
    cpdef list dressed(self, headers, cookie)
    @cython.locals(length=Py_ssize_t, result=bint)
    cpdef bint merge(self, list headers, name, token, drop)


cdef class Setup:
    cdef public object options, store, driver
    cdef public Report report
    cdef public Words words
    cdef public Policy policy
    cdef public Lifecycle rules
    cdef public bint has_ready, looks_closer, needs_facts, never_fails

    cpdef bint is_watched(self)
    cpdef stands_aside(self, facts)
