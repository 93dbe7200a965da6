"""Compiled twin of `cookies_py`, which is the specification.

What reads cookies is in `pairs.pxd`, which the twin that signs uses too.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_Check
from cpython.long cimport PyLong_AsDouble, PyLong_AsLongLongAndOverflow, PyLong_Check
from cpython.unicode cimport PyUnicode_AsUTF8String, PyUnicode_Check, PyUnicode_GET_LENGTH
from libc.math cimport NAN, floor
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memchr, memcpy

from sessfast.hotpath.pairs cimport cookie_header, decoded, located, octets, put

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    void* PyUnicode_DATA(object text)
    object PyUnicode_New(Py_ssize_t size, Py_UCS4 maxchar)

REVISION = 1

cdef enum:
    PAIR_LIMIT = 4096        # octets of name and value, RFC 6265bis s5.6
    ATTRIBUTE_LIMIT = 1024   # octets of one attribute's value, same section
    LABEL_LIMIT = 63         # octets of one domain label, RFC 1035 s2.3.4
    # A whole Set-Cookie value: the pair, two attributes as long as they may be, and 256 for
    # the punctuation and the attributes whose length is known (180 octets at most).
    WHOLE_LIMIT = PAIR_LIMIT + 2 * ATTRIBUTE_LIMIT + 256


def gathered(headers):
    """As `cookies_py.gathered`: the Cookie headers of an ASGI request as one."""
    return cookie_header(headers)


def find(
    header, name, Py_ssize_t skip=0, Py_ssize_t max_bytes=16384, Py_ssize_t max_pairs=256
):
    """As `cookies_py.find`: the value of the cookie called `name`, or None."""
    cdef octets stop
    cdef octets at = located(header, name, skip, max_bytes, max_pairs, &stop)
    return None if at is NULL else decoded(at, stop)


def serialize(
    name, value, *, domain=None, path="/", expires=None, max_age=None, http_only=True,
    secure=False, partitioned=False, priority=None, same_site=None,
):
    """As `cookies_py.serialize`: the value of one Set-Cookie header."""
    cdef char whole[WHOLE_LIMIT]
    cdef char* into = whole
    into = put_pair(into, name, value)
    if is_given(domain):
        into = put(into, b"; Domain=", 9)
        into = put_attribute(into, domain, is_domain, "option domain is invalid")
    if is_given(path):
        into = put(into, b"; Path=", 7)
        into = put_attribute(into, path, is_path, "option path is invalid")
    if expires is not None:
        into = put_date(put(into, b"; Expires=", 10), epoch(expires))
    if max_age is not None:
        into = put_number(put(into, b"; Max-Age=", 10), whole_seconds(max_age), 1, 0) - 1
    if http_only:
        into = put(into, b"; HttpOnly", 10)
    if secure:
        into = put(into, b"; Secure", 8)
    if partitioned:
        into = put(into, b"; Partitioned", 13)
    if is_given(priority):
        into = put(into, b"; Priority=", 11)
        into = put_choice(into, priority, b"Low Medium High ", "option priority is invalid")
    if is_given(same_site):
        into = put(into, b"; SameSite=", 11)
        into = put_choice(into, same_site, b"Lax Strict None ", "option sameSite is invalid")
    text = PyUnicode_New(into - whole, 0x7F)
    memcpy(PyUnicode_DATA(text), whole, into - whole)
    return text


cdef inline bint is_given(object text) noexcept:
    """Whether a text attribute is there: None and "" leave it out."""
    return text is not None and not (PyUnicode_Check(text) and PyUnicode_GET_LENGTH(text) == 0)


cdef inline bint is_alphanumeric(unsigned char octet) noexcept nogil:
    return c"0" <= octet <= c"9" or c"a" <= octet | 0x20 <= c"z"


cdef inline bint is_token(unsigned char octet) noexcept nogil:
    """RFC 9110 s5.6.2: visible ASCII without delimiters."""
    return is_alphanumeric(octet) or (
        0x20 < octet < 0x7F and memchr(b"!#$%&'*+-.^_`|~", octet, 15) is not NULL
    )


cdef inline bint is_unreserved(unsigned char octet) noexcept nogil:
    """What encodeURIComponent leaves as it is."""
    return is_alphanumeric(octet) or memchr(b"-_.!~*'()", octet, 9) is not NULL


cdef char* put_pair(char* into, object name, object value) except NULL:
    """`name=value`, the value as encodeURIComponent writes it."""
    cdef octets at
    cdef Py_ssize_t index, size
    cdef char* limit = into + PAIR_LIMIT + 1  # the `=` doesn't count
    if not PyUnicode_Check(name) or not PyUnicode_IS_ASCII(name):
        raise ValueError("argument name is invalid")
    at = <octets>PyUnicode_DATA(name)
    size = PyUnicode_GET_LENGTH(name)
    for index in range(size):
        if not is_token(at[index]):
            size = 0
            break
    if size == 0:
        raise ValueError("argument name is invalid")
    if not PyUnicode_Check(value):
        raise ValueError("argument value is invalid")
    try:
        encoded = None if PyUnicode_IS_ASCII(value) else PyUnicode_AsUTF8String(value)
    except UnicodeEncodeError:
        raise ValueError("argument value is invalid") from None
    if size > PAIR_LIMIT:
        raise ValueError("cookie is too large")
    into = put(into, <const char*>at, size)
    into[0] = c"="
    into += 1
    if encoded is None:
        at = <octets>PyUnicode_DATA(value)
        size = PyUnicode_GET_LENGTH(value)
    else:
        at = <octets>PyBytes_AS_STRING(encoded)
        size = PyBytes_GET_SIZE(encoded)
    for index in range(size):
        if is_unreserved(at[index]):
            if limit - into < 1:
                raise ValueError("cookie is too large")
            into[0] = at[index]
            into += 1
        else:
            if limit - into < 3:
                raise ValueError("cookie is too large")
            into = put_escape(into, at[index])
    return into


cdef inline char* put_escape(char* into, unsigned char octet) noexcept nogil:
    cdef const char* digits = b"0123456789ABCDEF"
    into[0] = c"%"
    into[1] = digits[octet >> 4]
    into[2] = digits[octet & 15]
    return into + 3


ctypedef bint (*grammar_type)(octets at, Py_ssize_t size) noexcept nogil


cdef char* put_attribute(char* into, object text, grammar_type grammar, str fault) except NULL:
    cdef octets at
    cdef Py_ssize_t size
    if PyUnicode_Check(text) and PyUnicode_IS_ASCII(text):
        at = <octets>PyUnicode_DATA(text)
        size = PyUnicode_GET_LENGTH(text)
        if size <= ATTRIBUTE_LIMIT and grammar(at, size):
            return put(into, <const char*>at, size)
    raise ValueError(fault)


cdef bint is_domain(octets at, Py_ssize_t size) noexcept nogil:
    """LDH labels of 63 octets at most, that neither begin nor end with a hyphen."""
    cdef octets stop = at + size
    cdef octets label
    if size > 0 and at[0] == c".":
        at += 1
    while True:
        label = at
        while at < stop and (is_alphanumeric(at[0]) or at[0] == c"-"):
            at += 1
        if at == label or at - label > LABEL_LIMIT or label[0] == c"-" or (at - 1)[0] == c"-":
            return False
        if at == stop:
            return True
        if at[0] != c".":
            return False
        at += 1


cdef bint is_path(octets at, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t index
    for index in range(size):
        if not (0x20 <= at[index] <= 0x3A or 0x3D <= at[index] <= 0x7E):
            return False
    return size > 0


cdef char* put_choice(char* into, object word, const char* words, str fault) except NULL:
    """The one of `words`, letters with a space behind each, that `word` is in any case."""
    cdef octets at
    cdef Py_ssize_t index, size
    if PyUnicode_Check(word) and PyUnicode_IS_ASCII(word):
        at = <octets>PyUnicode_DATA(word)
        size = PyUnicode_GET_LENGTH(word)
        while words[0]:
            index = 0
            while words[index] != c" ":
                if index == size or at[index] | 0x20 != words[index] | 0x20:
                    break
                index += 1
            else:
                if index == size:
                    return put(into, words, size)
            while words[0] != c" ":
                words += 1
            words += 1
    raise ValueError(fault)


cdef int64_t epoch(object expires) except? -1:
    """`expires` to the second below."""
    cdef double seconds = NAN
    if PyFloat_Check(expires):
        seconds = PyFloat_AS_DOUBLE(expires)
    elif PyLong_Check(expires) and not isinstance(expires, bool):
        try:
            seconds = PyLong_AsDouble(expires)
        except OverflowError:
            pass
    if not -8.64e12 <= seconds <= 8.64e12:  # the last day a JavaScript Date knows; NaN neither
        raise ValueError("option expires is invalid")
    return <int64_t>floor(seconds)


cdef int64_t whole_seconds(object max_age) except? -1:
    cdef int overflow = 1
    cdef int64_t seconds = 0
    if PyLong_Check(max_age) and not isinstance(max_age, bool):
        seconds = PyLong_AsLongLongAndOverflow(max_age, &overflow)
    if overflow:
        raise ValueError("option maxAge is invalid")
    return seconds


cdef char* put_number(char* into, int64_t number, int width, char after) noexcept nogil:
    """`number` in decimal, its digits padded with zeros to `width`, and the character `after`."""
    cdef char digits[20]
    cdef int count = 0
    # In the unsigned type the smallest number has an opposite.
    cdef uint64_t rest = <uint64_t>number
    if number < 0:
        into[0] = c"-"
        into += 1
        rest = 0 - rest
    while rest or count < width:
        digits[count] = <char>(c"0" + rest % 10)
        rest //= 10
        count += 1
    while count:
        count -= 1
        into[0] = digits[count]
        into += 1
    into[0] = after
    return into + 1


cdef char* put_date(char* into, int64_t seconds) noexcept nogil:
    """IMF-fixdate; years as JavaScript's toUTCString writes them."""
    cdef int64_t days = seconds // 86400
    cdef int clock = <int>(seconds % 86400)
    if clock < 0:  # C rounds towards zero
        clock += 86400
        days -= 1
    # Proleptic Gregorian date of a day number, by eras of 400 years that begin on 1 March.
    cdef int64_t shifted = days + 719468
    cdef int64_t era = (shifted if shifted >= 0 else shifted - 146096) // 146097
    cdef int day_of_era = <int>(shifted - era * 146097)
    cdef int year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096
    ) // 365
    cdef int day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    cdef int month = (5 * day_of_year + 2) // 153  # 0 = March
    cdef int day = day_of_year - (153 * month + 2) // 5 + 1
    cdef int64_t year = year_of_era + era * 400
    month = month + 2 if month < 10 else month - 10  # 0 = January
    if month < 2:
        year += 1
    cdef const char* weekdays = b"Mon,Tue,Wed,Thu,Fri,Sat,Sun,"
    cdef const char* months = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec "
    into = put(into, weekdays + 4 * ((days % 7 + 10) % 7), 4)  # 1970 began on a Thursday
    into[0] = c" "
    into = put_number(into + 1, day, 2, c" ")
    into = put(into, months + 4 * month, 4)
    into = put_number(into, year, 4, c" ")
    into = put_number(into, clock // 3600, 2, c":")
    into = put_number(into, clock // 60 % 60, 2, c":")
    into = put_number(into, clock % 60, 2, c" ")
    return put(into, b"GMT", 3)
