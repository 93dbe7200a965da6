from sessfast.compiled.lifecycle cimport Lifecycle
from sessfast.compiled.policy cimport Policy
from sessfast.compiled.report cimport Report
from sessfast.compiled.session cimport Session


cdef class Setup:
    cdef public object options, store, driver
    cdef public Report report
    cdef public Policy policy
    cdef public Lifecycle rules
    cdef public bint has_ready, looks_closer, needs_facts, sends_vary

    cpdef bint is_watched(self)
    cpdef stands_aside(self, facts)


cdef class Words:
    cdef public object lower, cookie, vary, cache_control, vary_cookie, set_cookie, no_store
    cdef public object cache_private, cache_public, star, comma, joint

    cpdef list varied(self, headers)
    cpdef list dressed(self, headers, cookie, cache)
    cpdef bint merge(self, list headers, name, token, drop)
