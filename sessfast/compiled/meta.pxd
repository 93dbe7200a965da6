cimport cython


cdef class Meta:
    cdef public double created
    cdef public object expires, cookie
    cdef public int cookie_index


@cython.locals(meta=Meta)
cpdef Meta meta_of(created, expires, cookie)
