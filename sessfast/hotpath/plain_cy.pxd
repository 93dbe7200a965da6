from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint64_t

cdef class PlainWriter:
    cdef int64_t lowest
    cdef uint64_t highest
    cdef double smallest, beyond
    cdef bint integral, is_roomy
    cdef Py_ssize_t max_depth, max_keys
    cpdef bytes write(self, data)
    cdef char* put_dict(self, object box, int depth, char* into, char* limit) noexcept
    cdef char* put_list(self, object box, int depth, char* into, char* limit) noexcept
    cdef char* put(self, PyObject* value, int depth, char* into, char* limit) noexcept
    cdef bint is_plain_dict(self, object box, Py_ssize_t depth, Py_ssize_t* count) noexcept
    cdef bint is_plain_list(self, object box, Py_ssize_t depth, Py_ssize_t* count) noexcept
    cdef bint is_plain(self, PyObject* value, Py_ssize_t depth, Py_ssize_t* count) noexcept
    cdef bint fits(self, double number) noexcept
    cdef bint has(self, PyObject* number, int64_t* value) noexcept

cpdef PlainWriter plain_writer(
    lowest, highest, smallest, beyond, integral, max_depth, max_keys
)
