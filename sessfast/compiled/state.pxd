from sessfast.compiled.meta cimport Meta


cdef class State:
    cdef public bint active, at_rest, changed, clears, decided, destroyed, failed, fresh, gone, imported
    cdef public bint lent, persistent, refreshed, retired_key, rotated, settling, special, stored
    cdef public bint superseded, touched, wanted, written
    cdef public int attempts, candidates
    cdef public double began, ends
    cdef public object base, blob, blob_sent, cookie, cookie_sid, degraded, expires, key
    cdef public Meta meta
    cdef public object original, read, saved_text, sent, set_cookie, sid, tell, text, ttl
    cdef public object version

    cpdef begin(self, read, tell, int candidates, degraded)
