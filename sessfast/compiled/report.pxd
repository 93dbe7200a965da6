cdef class Report:
    cdef public object observer, logger, _enabled
    cdef public dict _answers

    cpdef bint is_heard(self)
