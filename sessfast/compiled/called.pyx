"""The compiled twin of sessfast/called.py.

Each object holds the C function that CPython calls (PEP 590). Cython gives no class of its own
that, so the types are changed after they were made, and before any subclass is: it inherits.
"""

from cpython.object cimport PyObject
from libc.stddef cimport size_t


cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        Py_ssize_t tp_vectorcall_offset
        void* tp_call
        unsigned long tp_flags
    const unsigned long Py_TPFLAGS_HAVE_VECTORCALL
    object PyVectorcall_Call(object self, object given, object names)
    Py_ssize_t PyVectorcall_NARGS(size_t count)
    object PyObject_Vectorcall(object called, PyObject** given, size_t count, PyObject* names)


cdef class Called1:
    """An object whose call is its method `called`, with one argument."""

    def __cinit__(self):
        self._vectorcall = <void*>call_1

    def __call__(self, *given, **named):
        return self.called(*given, **named)

    cpdef called(self, first):
        """What a call does."""
        raise NotImplementedError


cdef class Called2:
    """The same with two arguments."""

    def __cinit__(self):
        self._vectorcall = <void*>call_2

    def __call__(self, *given, **named):
        return self.called(*given, **named)

    cpdef called(self, first, second):
        """What a call does."""
        raise NotImplementedError


cdef class Called3:
    """The same with three arguments."""

    def __cinit__(self):
        self._vectorcall = <void*>call_3

    def __call__(self, *given, **named):
        return self.called(*given, **named)

    cpdef called(self, first, second, third):
        """What a call does."""
        raise NotImplementedError


cdef class Called2Or3:
    """The same with two arguments, and a third that may be left out."""

    def __cinit__(self):
        self._vectorcall = <void*>call_2_or_3

    def __call__(self, *given, **named):
        return self.called(*given, **named)

    cpdef called(self, first, second, third=None):
        """What a call does."""
        raise NotImplementedError


cdef object call_1(Called1 self, PyObject** given, size_t count, PyObject* names):
    if names != NULL or PyVectorcall_NARGS(count) != 1:
        return unusual(self, given, count, names)
    return self.called(<object>given[0])


cdef object call_2(Called2 self, PyObject** given, size_t count, PyObject* names):
    if names != NULL or PyVectorcall_NARGS(count) != 2:
        return unusual(self, given, count, names)
    return self.called(<object>given[0], <object>given[1])


cdef object call_3(Called3 self, PyObject** given, size_t count, PyObject* names):
    if names != NULL or PyVectorcall_NARGS(count) != 3:
        return unusual(self, given, count, names)
    return self.called(<object>given[0], <object>given[1], <object>given[2])


cdef object call_2_or_3(Called2Or3 self, PyObject** given, size_t count, PyObject* names):
    if names == NULL and PyVectorcall_NARGS(count) == 2:
        return self.called(<object>given[0], <object>given[1])
    if names == NULL and PyVectorcall_NARGS(count) == 3:
        return self.called(<object>given[0], <object>given[1], <object>given[2])
    return unusual(self, given, count, names)


cdef object unusual(self, PyObject** given, size_t count, PyObject* names):
    """A call with names, or with too few or many arguments: Python says what is wrong."""
    return PyObject_Vectorcall(self.called, given, PyVectorcall_NARGS(count), names)


cdef int keep_function(kind, Py_ssize_t offset) except -1:
    """Let CPython call objects of a type by the function that they hold at `offset`."""
    cdef PyTypeObject* made = <PyTypeObject*><PyObject*>kind
    made.tp_vectorcall_offset, made.tp_call = offset, <void*>PyVectorcall_Call
    made.tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL
    return 0


def calls_called(cls):
    """Make calling an object of this class mean its inherited `called`, without a frame between.

    Its `__call__` is then for looking at alone.
    """
    keep_function(cls, (<PyTypeObject*><PyObject*>cls).tp_vectorcall_offset)


cdef Called1 one = Called1.__new__(Called1)
cdef Called2 two = Called2.__new__(Called2)
cdef Called3 three = Called3.__new__(Called3)
cdef Called2Or3 two_or_three = Called2Or3.__new__(Called2Or3)
keep_function(Called1, <char*>&one._vectorcall - <char*><PyObject*>one)
keep_function(Called2, <char*>&two._vectorcall - <char*><PyObject*>two)
keep_function(Called3, <char*>&three._vectorcall - <char*><PyObject*>three)
keep_function(Called2Or3, <char*>&two_or_three._vectorcall - <char*><PyObject*>two_or_three)
