cdef class RawDict(dict):
    cpdef _put(self, key, value)
    cpdef _at(self, key)
    cpdef _find(self, key, default=*)
    cpdef Py_ssize_t _size(self)
    cpdef _empty(self)
    cpdef _refill(self, dict data)


cpdef found(place, key)
