from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t

from sessfast.hotpath.pairs cimport octets

cdef extern from "sha256.h":
    ctypedef struct sf_key:
        pass
    ctypedef void (*sf_compress)(uint32_t* state, octets data, size_t blocks) noexcept nogil
    const char* SF_STANDARD
    const char* SF_URLSAFE
    sf_compress sf_best() nogil
    void sf_compress_scalar(uint32_t* state, octets data, size_t blocks) noexcept nogil
    const char* sf_name(sf_compress compress) nogil
    void sf_set_key(sf_compress compress, sf_key* key, octets secret, size_t size) nogil
    void sf_mac(
        sf_compress compress, const sf_key* key, octets data, size_t size, uint8_t* mac
    ) nogil
    void sf_sha256(
        sf_compress compress, octets data, size_t size, uint8_t* digest
    ) nogil
    bint sf_same(octets first, octets second) nogil
    void sf_encode(const char* alphabet, octets data, size_t size, char* text) nogil
    bint sf_decode(octets text, uint8_t* mac) nogil
    void sf_wipe(void* data, size_t size) nogil

cdef class Keyring:
    cdef sf_key* keys
    cdef Py_ssize_t count
    cdef sf_compress compress
    cpdef str sign(self, value)
    cpdef stamped(self, str head, str sid, str tail)
    cpdef str fingerprint(self, value)
    cpdef tuple claim(self, headers, name, prefix, skip, most, max_bytes, max_pairs, index)
    cdef tuple first(
        self,
        header,
        name,
        prefix,
        Py_ssize_t seen,
        Py_ssize_t last,
        Py_ssize_t max_bytes,
        Py_ssize_t max_pairs,
        index,
    )
    cdef Py_ssize_t key_of(self, octets at, Py_ssize_t size) noexcept
    cdef str fingerprint_of(self, octets at, Py_ssize_t size)
    cdef int mac_of(self, object value, uint8_t* mac) except -1
