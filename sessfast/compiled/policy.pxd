cdef class Policy:
    cdef public object options, name, keyring, index, static_cookie, max_age, claim
    cdef public object max_bytes, max_pairs, idle, absolute, touch_after, default_idle, candidates
    cdef public tuple plain_attributes, plain_ends
    cdef public bint is_express, rejects_duplicates, refuses_insecure, reads_warily

    cpdef mint(self, facts)
    cpdef store_key(self, sid)
    cpdef double refresh_after(self, double ttl)
    cpdef plain_cookie(self, sid, bint secure)
    cpdef set_cookie(self, sid, attributes, expires, bint secure, now)
