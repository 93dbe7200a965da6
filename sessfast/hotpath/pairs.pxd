"""Cookie pairs for the compiled twins: where in a header a value is, and what it stands for.

Reads the octets where they lie: CPython keeps a Latin-1 str as one octet per character.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_Check, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.ref cimport PyObject
from cpython.unicode cimport PyUnicode_Check, PyUnicode_DecodeUTF8, PyUnicode_GET_LENGTH
from libc.string cimport memchr, memcmp, memcpy

cdef extern from "Python.h":
    int PyUnicode_1BYTE_KIND
    int PyUnicode_KIND(object text)
    void* PyUnicode_DATA(object text)
    object PyUnicode_FromKindAndData(int kind, const void* data, Py_ssize_t size)
    bint PyBytes_CheckExact(PyObject* name)
    bint PyList_CheckExact(object headers)
    Py_ssize_t PyList_GET_SIZE(object headers)
    PyObject* PyList_GET_ITEM(object headers, Py_ssize_t index)
    bint PyTuple_CheckExact(PyObject* pair)
    Py_ssize_t PyTuple_GET_SIZE(PyObject* pair)
    PyObject* PyTuple_GET_ITEM(PyObject* pair, Py_ssize_t index)

ctypedef const unsigned char* octets

cdef enum:
    STACK = 2048  # octets of a value that are decoded without the heap


cdef inline object cookie_header(object headers):
    """As `cookies_py.gathered`: the Cookie headers of an ASGI request as one."""
    cdef PyObject* pair
    cdef PyObject* name
    cdef Py_ssize_t index
    one = None
    if PyList_CheckExact(headers):
        with cython.critical_section(headers):
            for index in range(PyList_GET_SIZE(headers)):
                pair = PyList_GET_ITEM(headers, index)
                if not PyTuple_CheckExact(pair) or PyTuple_GET_SIZE(pair) != 2:
                    break
                name = PyTuple_GET_ITEM(pair, 0)
                if not PyBytes_CheckExact(name):
                    break
                if PyBytes_GET_SIZE(<object>name) == 6 and (
                    memcmp(PyBytes_AS_STRING(<object>name), b"cookie", 6) == 0
                ):
                    if one is not None:
                        break
                    one = <object>PyTuple_GET_ITEM(pair, 1)
            else:
                return b"" if one is None else one
    found = [value for name_, value in headers if name_ == b"cookie"]
    return found[0] if len(found) == 1 else b"; ".join(found)


cdef inline octets located(
    object header,
    object name,
    Py_ssize_t skip,
    Py_ssize_t max_bytes,
    Py_ssize_t max_pairs,
    octets* value_stop,
) except? NULL:
    """Where the value of the cookie `find` looks for begins, or NULL; `value_stop`: its end."""
    cdef octets at
    cdef octets key
    cdef Py_ssize_t size, key_size
    if not PyUnicode_Check(name):
        raise TypeError("name must be str")
    if PyUnicode_Check(header):
        if PyUnicode_KIND(header) != PyUnicode_1BYTE_KIND:
            return NULL
        at = <octets>PyUnicode_DATA(header)
        size = PyUnicode_GET_LENGTH(header)
    elif PyBytes_Check(header):
        at = <octets>PyBytes_AS_STRING(header)
        size = PyBytes_GET_SIZE(header)
    else:
        raise TypeError("header must be str or bytes")
    if PyUnicode_KIND(name) != PyUnicode_1BYTE_KIND:
        return NULL
    key = <octets>PyUnicode_DATA(name)
    key_size = PyUnicode_GET_LENGTH(name)
    if key_size == 0 or size < key_size or max_bytes < 0:
        return NULL
    cdef bint is_cut = size > max_bytes
    # The octet behind the last one that counts may still be the semicolon of its pair.
    cdef octets end = at + (max_bytes + 1 if is_cut else size)
    cdef octets stop
    cdef octets start
    while max_pairs > 0:
        stop = <octets>memchr(at, c";", end - at)
        if stop is NULL:
            if is_cut:
                return NULL  # a cut pair is no pair
            stop = end
        start = skip_blanks(at, stop)
        if stop - start > key_size and start[0] == key[0] and memcmp(start, key, key_size) == 0:
            start = skip_blanks(start + key_size, stop)
            if start < stop and start[0] == c"=":
                if skip <= 0:
                    # Names end at the first `=` and have no blanks around them.
                    if memchr(key, c"=", key_size) or is_blank(key[key_size - 1]):
                        return NULL
                    value_stop[0] = stop
                    return start + 1
                skip -= 1
        if stop == end:
            return NULL
        at = stop + 1
        max_pairs -= 1
    return NULL


cdef inline bint is_blank(unsigned char octet) noexcept nogil:
    return octet == c" " or octet == c"\t"


cdef inline octets skip_blanks(octets at, octets stop) noexcept nogil:
    while at < stop and is_blank(at[0]):
        at += 1
    return at


cdef inline bint is_ascii(octets at, octets stop) noexcept nogil:
    cdef unsigned char seen = 0
    while at < stop:
        seen |= at[0]
        at += 1
    return seen < 0x80


cdef inline int hex_value(unsigned char octet) noexcept nogil:
    """What a hex digit is worth, -1 for anything else."""
    if c"0" <= octet <= c"9":
        return octet - c"0"
    octet |= 0x20
    if c"a" <= octet <= c"f":
        return octet - c"a" + 10
    return -1


cdef inline void trim(octets* at, octets* stop) noexcept nogil:
    """Move the ends of a value inwards: past blanks, then past one pair of double quotes."""
    at[0] = skip_blanks(at[0], stop[0])
    while stop[0] > at[0] and is_blank((stop[0] - 1)[0]):
        stop[0] -= 1
    if stop[0] - at[0] > 1 and at[0][0] == c'"' and (stop[0] - 1)[0] == c'"':
        at[0] += 1
        stop[0] -= 1


cdef inline Py_ssize_t decoded_ascii(
    octets at, octets stop, char* room, Py_ssize_t limit
) noexcept nogil:
    """`decoded` into `room` where it is ASCII of at most `limit` octets: its size, or -1."""
    cdef char* into = room
    cdef octets escape
    cdef int high, low
    trim(&at, &stop)
    if stop - at > limit or not is_ascii(at, stop):
        return -1
    while at < stop:
        escape = <octets>memchr(at, c"%", stop - at)
        if escape is NULL:
            return put(into, <const char*>at, stop - at) - room
        into = put(into, <const char*>at, escape - at)
        if stop - escape < 3:
            return -1
        high, low = hex_value(escape[1]), hex_value(escape[2])
        if not 0 <= high < 8 or low < 0:
            return -1
        into[0] = <char>(high << 4 | low)
        into += 1
        at = escape + 3
    return into - room


cdef inline object decoded(octets at, octets stop):
    """What stands for the value between `at` and `stop`: without blanks, quotes, escapes."""
    trim(&at, &stop)
    cdef octets escape = <octets>memchr(at, c"%", stop - at) if stop > at else NULL
    if escape is NULL:
        return PyUnicode_FromKindAndData(PyUnicode_1BYTE_KIND, at, stop - at)
    # As UTF-8 each octet takes two at most.
    cdef unsigned char stack[STACK]
    cdef unsigned char* room = stack
    if 2 * (stop - at) > STACK:
        room = <unsigned char*>PyMem_Malloc(2 * (stop - at))
        if room is NULL:
            raise MemoryError
    try:
        return unescaped(at, stop, escape, room)
    finally:
        if room != stack:
            PyMem_Free(room)


cdef inline object unescaped(octets at, octets stop, octets escape, unsigned char* room):
    """The text whose first escape is at `escape`, or the same text where it is malformed."""
    cdef octets text = at
    cdef unsigned char* into = room
    cdef bint ascii = is_ascii(at, stop)
    cdef int high, low
    while escape is not NULL:
        into = put_utf8(at, escape, into, ascii)
        if stop - escape < 3:
            break
        high, low = hex_value(escape[1]), hex_value(escape[2])
        if high < 0 or low < 0:
            break
        into[0] = <unsigned char>(high << 4 | low)
        into += 1
        at = escape + 3
        escape = <octets>memchr(at, c"%", stop - at) if at < stop else NULL
    else:
        into = put_utf8(at, stop, into, ascii)
        try:
            return PyUnicode_DecodeUTF8(<char*>room, into - room, NULL)
        except UnicodeDecodeError:
            pass
    return PyUnicode_FromKindAndData(PyUnicode_1BYTE_KIND, text, stop - text)


cdef inline unsigned char* put_utf8(
    octets at, octets stop, unsigned char* into, bint ascii
) noexcept nogil:
    """Write Latin-1 octets as UTF-8. A raw character stays whole, as no escape may join it."""
    if ascii:
        memcpy(into, at, stop - at)
        return into + (stop - at)
    while at < stop:
        if at[0] < 0x80:
            into[0] = at[0]
            into += 1
        else:
            into[0] = 0xC0 | at[0] >> 6
            into[1] = 0x80 | at[0] & 0x3F
            into += 2
        at += 1
    return into


cdef inline char* put(char* into, const char* text, Py_ssize_t size) noexcept nogil:
    memcpy(into, text, size)
    return into + size
