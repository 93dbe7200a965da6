cdef class MemoryStore:
    cdef public object max_entries
    cdef public object max_bytes
    cdef public object clock
    cdef public object _table
    cpdef get(self, sid)
