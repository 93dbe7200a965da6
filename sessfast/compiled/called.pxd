cdef class Called1:
    cdef void* _vectorcall
    cpdef called(self, first)


cdef class Called2:
    cdef void* _vectorcall
    cpdef called(self, first, second)


cdef class Called3:
    cdef void* _vectorcall
    cpdef called(self, first, second, third)


cdef class Called2Or3:
    cdef void* _vectorcall
    cpdef called(self, first, second, third=*)
