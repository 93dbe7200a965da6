cpdef bytes wrap(key, text, created, end, cookie)
cpdef tuple unwrap(key, blob, make)
cpdef bint wraps(blob, text) except -1
