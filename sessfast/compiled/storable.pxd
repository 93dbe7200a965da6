cimport cython


@cython.locals(level=list, below=list, count=Py_ssize_t)
cpdef bint is_within_limits(dict data)
cpdef bint may_exceed_limits(bytes blob)
