"""Compiled twin of `envelope_py`, which is the specification, and does whatever is unusual.

Usual is what a server meets all day: a key whose tag is plain ASCII, times after 1970 and, when
reading, the very bytes that we write. Then the envelope is compared octet by octet and only the
data is JSON to somebody.
"""

from cpython.bytes cimport (
    PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE)
from cpython.dict cimport PyDict_CheckExact, PyDict_Size
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.unicode cimport PyUnicode_Check, PyUnicode_GET_LENGTH
from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memcpy

import msgspec

from sessfast.hotpath.envelope_py import unwrap as unwrap_any
from sessfast.hotpath.envelope_py import wrap as wrap_any
from sessfast.hotpath.envelope_py import wraps as wraps_any
from sessfast.hotpath.numerals cimport put_decimal, thousandths

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    void* PyUnicode_DATA(object text)

ctypedef const unsigned char* octets

REVISION = 1

cdef enum:
    TAG = 8           # characters of the key that a record holds
    HEAD_LIMIT = 96   # octets before the data; at most 68 are written here

cdef object decode_data = msgspec.json.Decoder().decode
cdef tuple UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


cdef inline octets tag_of(object key, Py_ssize_t* size) noexcept:
    """The tag of a key where it stands for itself in JSON, or NULL."""
    cdef octets at
    cdef Py_ssize_t index
    if not PyUnicode_Check(key) or not PyUnicode_IS_ASCII(key):
        return NULL
    at = <octets>PyUnicode_DATA(key)
    size[0] = PyUnicode_GET_LENGTH(key)
    if size[0] > TAG:
        at += size[0] - TAG
        size[0] = TAG
    for index in range(size[0]):
        if at[index] < 0x20 or at[index] == c'"' or at[index] == c"\\":
            return NULL
    return at


# -- writing -------------------------------------------------------------------------------


cpdef bytes wrap(key, text, created, end, cookie):
    """As `envelope_py.wrap`: the record of the data `text` for `key`."""
    cdef char head[HEAD_LIMIT]
    cdef char* into = head
    cdef char* record
    cdef Py_ssize_t tag_size, head_size, size
    cdef octets tag = tag_of(key, &tag_size)
    if (
        tag is NULL
        or not PyBytes_CheckExact(text)
        or not PyDict_CheckExact(cookie)
        or PyDict_Size(cookie)
    ):
        return wrap_any(key, text, created, end, cookie)
    into = put(into, b'{"v":1,"k":"', 12)
    into = put(into, <const char*>tag, tag_size)
    into = put_time(put(into, b'","c":', 6), created)
    if into is not NULL:
        into = put(into, b',"e":', 5)
        into = put(into, b"null", 4) if end is None else put_time(into, end)
    if into is NULL:
        return wrap_any(key, text, created, end, cookie)
    into = put(into, b',"d":', 5)
    head_size, size = into - head, PyBytes_GET_SIZE(text)
    blob = PyBytes_FromStringAndSize(NULL, head_size + size + 1)
    record = PyBytes_AS_STRING(blob)
    memcpy(record, head, head_size)
    memcpy(record + head_size, PyBytes_AS_STRING(text), size)
    record[head_size + size] = c"}"
    return blob


cdef inline char* put(char* into, const char* text, Py_ssize_t size) noexcept nogil:
    memcpy(into, text, size)
    return into + size


cdef inline char* put_time(char* into, object time) noexcept:
    """`time` to the millisecond, or NULL where it is no float or before the second one."""
    cdef double scaled = thousandths(PyFloat_AS_DOUBLE(time)) if PyFloat_CheckExact(time) else 0
    return put_decimal(into, scaled) if scaled else NULL


# -- reading -------------------------------------------------------------------------------


cpdef tuple unwrap(key, blob, make):
    """As `envelope_py.unwrap`: the data of a record for `key`, and make(created, end, cookie)."""
    cdef Py_ssize_t tag_size
    cdef octets tag = tag_of(key, &tag_size)
    cdef octets at
    cdef octets stop
    cdef double created, end = 0
    cdef bint is_endless
    if tag is NULL or not PyBytes_CheckExact(blob):
        return unwrap_any(key, blob, make)
    at = <octets>PyBytes_AS_STRING(blob)
    stop = at + PyBytes_GET_SIZE(blob) - 1  # the last octet, the brace
    at = behind(at, stop, b'{"v":1,"k":"', 12)
    at = behind(at, stop, <const char*>tag, tag_size)
    at = behind(at, stop, b'","c":', 6)
    at = behind_time(at, &created)
    at = behind(at, stop, b',"e":', 5)
    is_endless = at is not NULL and at[0] == c"n"
    at = behind(at, stop, b"null", 4) if is_endless else behind_time(at, &end)
    at = behind(at, stop, b',"d":', 5)
    if at is NULL or at[0] != c"{" or stop[0] != c"}":
        return unwrap_any(key, blob, make)
    try:
        data = decode_data(PyBytes_FromStringAndSize(<const char*>at, stop - at))
    except UNREADABLE:
        # There may be more fields behind the data.
        return unwrap_any(key, blob, make)
    return data, make(created, None if is_endless else end, {})


cdef inline octets behind(
    octets at, octets stop, const char* text, Py_ssize_t size
) noexcept nogil:
    """Where `at` is after `text`, before `stop`; NULL where it says something else."""
    if at is NULL or stop - at < size or memcmp(at, text, size) != 0:
        return NULL
    return at + size


cdef inline octets behind_time(octets at, double* time) noexcept nogil:
    """Where `at` is after a time as `put_time` writes it, or NULL.

    It stops before the octet 0 behind every bytes object. Read exactly: digits and power of ten
    are doubles without error, and division rounds once.
    """
    cdef uint64_t digits = 0
    cdef octets start = at
    if at is NULL or at[0] == c"0":
        return NULL
    while c"0" <= at[0] <= c"9":
        digits = digits * 10 + (at[0] - c"0")
        at += 1
    if at == start or at - start > 11 or at[0] != c".":
        return NULL
    at += 1
    start = at
    while c"0" <= at[0] <= c"9":
        digits = digits * 10 + (at[0] - c"0")
        at += 1
    if at - start == 3:
        time[0] = digits / <double>1000
    elif at - start == 1:
        time[0] = digits / <double>10
    elif at - start == 2:
        time[0] = digits / <double>100
    else:
        return NULL
    return at


cpdef bint wraps(blob, text) except -1:
    """As `envelope_py.wraps`: whether the data in `blob` has exactly the bytes `text`."""
    cdef Py_ssize_t size, whole
    cdef octets at
    if not PyBytes_CheckExact(blob) or not PyBytes_CheckExact(text):
        return wraps_any(blob, text)
    size, whole = PyBytes_GET_SIZE(text), PyBytes_GET_SIZE(blob)
    if whole < size + 5:
        return False
    at = <octets>PyBytes_AS_STRING(blob) + whole - size - 5
    return (
        at[size + 4] == c"}"
        and memcmp(at, b'"d":', 4) == 0
        and memcmp(at + 4, PyBytes_AS_STRING(text), size) == 0
    )
