"""Numbers in decimal, for the compiled twins that write JSON."""

from libc.math cimport fabs, rint
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    static const char SESSFAST_PAIRS[] =
        "0001020304050607080910111213141516171819"
        "2021222324252627282930313233343536373839"
        "4041424344454647484950515253545556575859"
        "6061626364656667686970717273747576777879"
        "8081828384858687888990919293949596979899";
    """
    const char* PAIRS "SESSFAST_PAIRS"  # the two digits of each number below a hundred

cdef enum:
    WHOLE = 20   # octets that put_whole writes at most
    DECIMAL = 16  # octets that put_decimal writes at most


cdef inline char* put_whole(char* into, uint64_t number) noexcept nogil:
    """Write `number`; returns where the next octet goes."""
    cdef char digits[WHOLE]
    cdef int at = WHOLE
    while number >= 10:
        at -= 2
        memcpy(digits + at, PAIRS + 2 * (number % 100), 2)
        number //= 100
    if number or at == WHOLE:
        at -= 1
        digits[at] = <char>(c"0" + number)
    memcpy(into, digits + at, WHOLE - at)
    return into + (WHOLE - at)


cdef inline double thousandths(double number) noexcept nogil:
    """`number` times a thousand, rounded, where put_decimal can write that; else 0."""
    cdef double count = rint(number * 1000)
    return count if 1e3 <= fabs(count) < 1e14 else 0


cdef inline char* put_decimal(char* into, double thousandths) noexcept nogil:
    """Write so many thousandths as JSON does a float: `12.5`, `-3.0`.

    Of 14 digits at most: so no shorter text means the same double, and whoever looks for the
    shortest one finds this.
    """
    cdef uint64_t count = <uint64_t>fabs(thousandths)
    cdef uint64_t rest = count % 1000
    if thousandths < 0:
        into[0] = c"-"
        into += 1
    into = put_whole(into, count // 1000)
    into[0] = c"."
    into[1] = <char>(c"0" + rest // 100)
    rest %= 100
    if rest == 0:
        return into + 2
    memcpy(into + 2, PAIRS + 2 * rest, 2)
    return into + (4 if into[3] != c"0" else 3)
