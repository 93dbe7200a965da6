cimport cython

# the .py imports the class by its own name from elsewhere, which rules the same name out here
from sessfast.hotpath.signing_cy cimport Keyring as CompiledKeyring


cdef class Policy:
    cdef public object options, name, plain_start, static_cookie, max_age
    cdef public object max_bytes, max_pairs, idle, absolute, touch_after, default_idle, candidates
    cdef public CompiledKeyring keyring, index
    cdef public tuple plain_attributes, plain_ends
    cdef public list dated_ends
    cdef public bint is_express, rejects_duplicates, refuses_insecure, reads_warily

    cpdef mint(self, facts)
    cpdef store_key(self, sid)
    cpdef double refresh_after(self, double ttl)
    cpdef plain_cookie(self, sid, bint secure)
    cpdef dated_cookie(self, sid, double expires, bint secure, double now)
    cpdef _stamped(self, sid, end)
    cpdef set_cookie(self, sid, attributes, expires, bint secure, now)
