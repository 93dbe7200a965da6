"""Compiled twin of `plain_py`, which is the specification.

What most sessions hold is written here, in one walk that checks as it goes: text of ASCII that
needs no escapes, ints, floats of three decimals, True, False, None, and dicts and lists of these,
up to 4 KB. All else is checked first and left to msgspec. No walk runs Python code, so what it looks at stays as it is.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_Clear, PyErr_Occurred
from cpython.ref cimport PyObject
from libc.math cimport fabs, floor
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

import msgspec

from sessfast.hotpath.numerals cimport DECIMAL, WHOLE, put_decimal, put_whole, thousandths

cdef extern from "Python.h":
    bint PyBool_Check(PyObject* value)
    bint PyDict_CheckExact(PyObject* value)
    bint PyFloat_CheckExact(PyObject* value)
    bint PyList_CheckExact(PyObject* value)
    bint PyLong_CheckExact(PyObject* value)
    bint PyTuple_CheckExact(PyObject* value)
    bint PyUnicode_CheckExact(PyObject* value)
    PyObject* Py_None
    PyObject* Py_True
    PyObject* Py_False
    double PyFloat_AS_DOUBLE(PyObject* value)
    long long PyLong_AsLongLongAndOverflow(PyObject* value, int* overflow)
    unsigned long long PyLong_AsUnsignedLongLong(PyObject* value)
    Py_ssize_t PyDict_GET_SIZE(PyObject* box)
    int PyDict_Next(PyObject* box, Py_ssize_t* at, PyObject** key, PyObject** value)
    Py_ssize_t PyList_GET_SIZE(PyObject* box)
    PyObject* PyList_GET_ITEM(PyObject* box, Py_ssize_t index)
    Py_ssize_t PyTuple_GET_SIZE(PyObject* box)
    PyObject* PyTuple_GET_ITEM(PyObject* box, Py_ssize_t index)
    bint PyUnicode_IS_ASCII(PyObject* text)
    void* PyUnicode_DATA(PyObject* text)
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject* text)
    const unsigned long long ULLONG_MAX

ctypedef const unsigned char* octets

REVISION = 1

cdef enum:
    ROOM = 4096  # octets that are written here at most
    DEPTH = 16   # containers within each other

# the same octet eight times
cdef uint64_t EACH_LOWEST = <uint64_t>0x0101010101010101
cdef uint64_t EACH_SPACE = <uint64_t>0x2020202020202020
cdef uint64_t EACH_QUOTE = <uint64_t>0x2222222222222222
cdef uint64_t EACH_BACKSLASH = <uint64_t>0x5C5C5C5C5C5C5C5C
cdef uint64_t EACH_TOP_BIT = <uint64_t>0x8080808080808080

cdef object encode = msgspec.json.Encoder().encode


cpdef PlainWriter plain_writer(
    lowest, highest, smallest, beyond, integral, max_depth, max_keys
):
    """As `plain_py.plain_writer`: a writer of what one format takes for plain."""
    if not -(2**63) <= lowest < 2**63 or not 0 <= highest < 2**64:
        raise OverflowError("a bound beyond 64 bits")
    cdef PlainWriter made = PlainWriter.__new__(PlainWriter)
    made.lowest = lowest
    made.highest = highest
    made.smallest = smallest
    made.beyond = beyond
    made.integral = integral
    made.max_depth = max_depth
    made.max_keys = max_keys
    # whatever is written here is within the limits: a key or container takes two octets
    made.is_roomy = made.max_depth >= DEPTH and made.max_keys >= ROOM // 2
    return made


cdef class PlainWriter:
    """As `plain_py.PlainWriter`: writes plain data."""

    cpdef bytes write(self, data):
        """As `plain_py.PlainWriter.write`: the JSON of `data`, or None."""
        cdef char room[ROOM]
        cdef char* into = NULL
        cdef Py_ssize_t count = 0
        if not isinstance(data, dict):
            raise TypeError("data must be a dict")
        if self.is_roomy:
            into = self.put_dict(data, 1, room, room + ROOM)
        if into is not NULL:
            return PyBytes_FromStringAndSize(room, into - room)
        return encode(data) if self.is_plain_dict(data, 1, &count) else None

    # -- writing: where the next octet goes, or NULL for what is unusual or not plain ----------

    cdef char* put_dict(self, object box, int depth, char* into, char* limit) noexcept:
        cdef PyObject* key
        cdef PyObject* value
        cdef Py_ssize_t at = 0
        cdef char* start = into
        if depth > DEPTH or limit - into < 2:
            return NULL
        into[0] = c"{"
        into += 1
        with cython.critical_section(box):
            while PyDict_Next(<PyObject*>box, &at, &key, &value):
                if not PyUnicode_CheckExact(key):
                    return NULL
                into = put_text(key, into, limit)
                if into is NULL or into == limit:
                    return NULL
                into[0] = c":"
                into = self.put(value, depth, into + 1, limit)
                if into is NULL or into == limit:
                    return NULL
                into[0] = c","
                into += 1
        if into - start > 1:
            into -= 1  # the last comma
        into[0] = c"}"
        return into + 1

    cdef char* put_list(self, object box, int depth, char* into, char* limit) noexcept:
        cdef PyObject* items = <PyObject*>box
        cdef bint is_list = PyList_CheckExact(items)
        cdef PyObject* value
        cdef Py_ssize_t index = 0
        cdef char* start = into
        if depth > DEPTH or limit - into < 2:
            return NULL
        into[0] = c"["
        into += 1
        with cython.critical_section(box):
            while index < (PyList_GET_SIZE(items) if is_list else PyTuple_GET_SIZE(items)):
                if is_list:
                    value = PyList_GET_ITEM(items, index)
                else:
                    value = PyTuple_GET_ITEM(items, index)
                into = self.put(value, depth, into, limit)
                if into is NULL or into == limit:
                    return NULL
                into[0] = c","
                into += 1
                index += 1
        if into - start > 1:
            into -= 1  # the last comma
        into[0] = c"]"
        return into + 1

    cdef char* put(self, PyObject* value, int depth, char* into, char* limit) noexcept:
        cdef int64_t number
        cdef double real, scaled
        if PyUnicode_CheckExact(value):
            return put_text(value, into, limit)
        if PyLong_CheckExact(value):
            if not self.has(value, &number) or limit - into < 1 + WHOLE:
                return NULL
            if number >= 0:
                return put_whole(into, number)
            into[0] = c"-"
            # In the unsigned type the smallest number has an opposite.
            return put_whole(into + 1, 0 - <uint64_t>number)
        if PyFloat_CheckExact(value):
            real = PyFloat_AS_DOUBLE(value)
            scaled = thousandths(real)
            if scaled == 0 or scaled / 1000 != real or not self.fits(real) or limit - into < DECIMAL:
                return NULL
            return put_decimal(into, scaled)
        if PyDict_CheckExact(value):
            return self.put_dict(<object>value, depth + 1, into, limit)
        if PyList_CheckExact(value) or PyTuple_CheckExact(value):
            return self.put_list(<object>value, depth + 1, into, limit)
        if limit - into < 5:
            return NULL
        if value == Py_None:
            memcpy(into, b"null", 4)
            return into + 4
        if value == Py_True:
            memcpy(into, b"true", 4)
            return into + 4
        if value == Py_False:
            memcpy(into, b"false", 5)
            return into + 5
        return NULL

    # -- checking ----------------------------------------------------------------------------

    cdef bint is_plain_dict(self, object box, Py_ssize_t depth, Py_ssize_t* count) noexcept:
        """Whether a dict is plain, `count` keys having been met before it."""
        cdef PyObject* key
        cdef PyObject* value
        cdef Py_ssize_t at = 0
        with cython.critical_section(box):
            count[0] += PyDict_GET_SIZE(<PyObject*>box) or depth > 1
            if depth > self.max_depth or count[0] > self.max_keys:
                return False
            while PyDict_Next(<PyObject*>box, &at, &key, &value):
                if not PyUnicode_CheckExact(key) or not self.is_plain(value, depth, count):
                    return False
        return True

    cdef bint is_plain_list(self, object box, Py_ssize_t depth, Py_ssize_t* count) noexcept:
        """The same for a list or tuple."""
        cdef PyObject* items = <PyObject*>box
        cdef bint is_list = PyList_CheckExact(items)
        cdef PyObject* value
        cdef Py_ssize_t index = 0
        with cython.critical_section(box):
            count[0] += 1
            if depth > self.max_depth or count[0] > self.max_keys:
                return False
            while index < (PyList_GET_SIZE(items) if is_list else PyTuple_GET_SIZE(items)):
                if is_list:
                    value = PyList_GET_ITEM(items, index)
                else:
                    value = PyTuple_GET_ITEM(items, index)
                if not self.is_plain(value, depth, count):
                    return False
                index += 1
        return True

    cdef bint is_plain(self, PyObject* value, Py_ssize_t depth, Py_ssize_t* count) noexcept:
        """The same for any value, with all that is in it."""
        cdef int64_t number
        cdef uint64_t great
        if PyUnicode_CheckExact(value) or value == Py_None or PyBool_Check(value):
            return True
        if PyLong_CheckExact(value):
            if self.has(value, &number):
                return True
            great = PyLong_AsUnsignedLongLong(value)
            if great == ULLONG_MAX and PyErr_Occurred():
                PyErr_Clear()
                return False
            return great <= self.highest
        if PyFloat_CheckExact(value):
            return self.fits(PyFloat_AS_DOUBLE(value))
        if PyDict_CheckExact(value):
            return self.is_plain_dict(<object>value, depth + 1, count)
        if PyList_CheckExact(value) or PyTuple_CheckExact(value):
            return self.is_plain_list(<object>value, depth + 1, count)
        return False

    cdef bint fits(self, double number) noexcept:
        """Whether a float is within the bounds."""
        return self.smallest <= fabs(number) < self.beyond and (
            self.integral or floor(number) != number
        )

    cdef bint has(self, PyObject* number, int64_t* value) noexcept:
        """Whether an int is within the bounds and has 63 bits; its value, if so."""
        cdef int overflow
        value[0] = PyLong_AsLongLongAndOverflow(number, &overflow)
        return (
            overflow == 0
            and value[0] >= self.lowest
            and (value[0] < 0 or <uint64_t>value[0] <= self.highest)
        )


cdef inline char* put_text(PyObject* text, char* into, char* limit) noexcept:
    """`text` in quotes; NULL where it needs escapes or isn't ASCII."""
    cdef octets at
    cdef Py_ssize_t size
    if not PyUnicode_IS_ASCII(text):
        return NULL
    at = <octets>PyUnicode_DATA(text)
    size = PyUnicode_GET_LENGTH(text)
    if limit - into < size + 2 or not is_bare(at, size):
        return NULL
    into[0] = c'"'
    memcpy(into + 1, at, size)
    into[size + 1] = c'"'
    return into + size + 2


cdef inline bint is_bare(octets at, Py_ssize_t size) noexcept nogil:
    """Whether ASCII stands for itself in JSON: no quote, backslash or control character."""
    cdef uint64_t word
    while size >= 8:
        # Each subtraction sets an octet's top bit where the octet is one of those. (It may borrow
        # from the octet above, but only where it has found one.)
        memcpy(&word, at, 8)
        if (
            (word - EACH_SPACE)
            | ((word ^ EACH_QUOTE) - EACH_LOWEST)
            | ((word ^ EACH_BACKSLASH) - EACH_LOWEST)
        ) & EACH_TOP_BIT:
            return False
        at += 8
        size -= 8
    while size:
        if at[0] < 0x20 or at[0] == c'"' or at[0] == c"\\":
            return False
        at += 1
        size -= 1
    return True
