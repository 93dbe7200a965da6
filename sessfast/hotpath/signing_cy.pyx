"""Compiled twin of `signing_py`, which is the specification.

A key is two SHA-256 states in a C struct, so that an id of 32 characters costs two
compressions per key that is tried. The MAC of a cookie is compared as octets.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_Check, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.unicode cimport PyUnicode_AsUTF8String, PyUnicode_Check, PyUnicode_GET_LENGTH
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from sessfast.hotpath.cookies_cy import find, gathered

ctypedef const uint8_t* octets

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    void* PyUnicode_DATA(object text)
    object PyUnicode_New(Py_ssize_t size, Py_UCS4 maxchar)
    object PyUnicode_Substring(object text, Py_ssize_t start, Py_ssize_t end)
    int PyUnicode_Tailmatch(
        object text, object part, Py_ssize_t start, Py_ssize_t end, int direction
    ) except -1
    const Py_ssize_t PY_SSIZE_T_MAX

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

REVISION = 1

ABSENT, MALFORMED, FORGED, SIGNED = range(4)

cdef enum:
    DIGEST = 32
    MAC_CHARS = 43  # base64 of 32 octets without its padding


def cpu_path():
    """What computes SHA-256 here: "sha-ni", "armv8" or "scalar"."""
    return sf_name(sf_best()).decode()


def sha256(bytes data not None, str path not None="auto"):
    """SHA-256 of `data` by the path named, one of `cpu_path`'s or "auto". For the tests alone.

    ValueError: this machine doesn't have that path.
    """
    cdef uint8_t digest[DIGEST]
    cdef sf_compress compress = sf_best()
    if path == "scalar":
        compress = sf_compress_scalar
    elif path != "auto" and path != cpu_path():
        raise ValueError(f"no such path here: {path}")
    sf_sha256(compress, <uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), digest)
    return digest[:DIGEST]


cdef class Keyring:
    # Up to the dashes, inspect reads the signature.
    """Keyring(secrets)\n--\n\nAs `signing_py.Keyring`: the first key signs, all verify."""

    cdef sf_key* keys
    cdef Py_ssize_t count
    cdef sf_compress compress

    def __cinit__(self, secrets):
        cdef Py_ssize_t index
        held = tuple(secrets)
        for secret in held:
            if not PyBytes_Check(secret):
                raise TypeError("a secret must be bytes")
        if not held:
            raise ValueError("a keyring needs at least one secret")
        self.compress = sf_best()
        self.keys = <sf_key*>PyMem_Calloc(len(held), sizeof(sf_key))
        if self.keys is NULL:
            raise MemoryError
        self.count = len(held)
        for index in range(self.count):
            secret = held[index]
            sf_set_key(
                self.compress,
                &self.keys[index],
                <uint8_t*>PyBytes_AS_STRING(secret),
                PyBytes_GET_SIZE(secret),
            )

    def __dealloc__(self):
        if self.keys is not NULL:
            sf_wipe(self.keys, self.count * sizeof(sf_key))
            PyMem_Free(self.keys)

    def __len__(self):
        return self.count

    def __repr__(self):
        return f"<Keyring of {self.count}>"

    def __reduce__(self):
        raise TypeError("a Keyring holds secrets: it can't be copied or pickled")

    def sign(self, value):
        """As `signing_py.Keyring.sign`: value, a dot, and its MAC under the first key."""
        cdef uint8_t mac[DIGEST]
        cdef char* into
        cdef Py_ssize_t size
        self.mac_of(value, mac)
        if not PyUnicode_IS_ASCII(value):
            signed = PyUnicode_New(MAC_CHARS, 0x7F)
            sf_encode(SF_STANDARD, mac, DIGEST, <char*>PyUnicode_DATA(signed))
            return f"{value}.{signed}"
        size = PyUnicode_GET_LENGTH(value)
        signed = PyUnicode_New(size + 1 + MAC_CHARS, 0x7F)
        into = <char*>PyUnicode_DATA(signed)
        memcpy(into, PyUnicode_DATA(value), size)
        into[size] = c"."
        sf_encode(SF_STANDARD, mac, DIGEST, into + size + 1)
        return signed

    def verify(self, text):
        """As `signing_py.Keyring.verify`: index of the first key that signed this, or -1."""
        cdef octets at
        cdef Py_ssize_t size
        if not PyUnicode_Check(text):
            raise TypeError("text must be str")
        encoded = None
        if PyUnicode_IS_ASCII(text):
            at = <octets>PyUnicode_DATA(text)
            size = PyUnicode_GET_LENGTH(text)
        else:
            try:
                encoded = PyUnicode_AsUTF8String(text)
            except UnicodeEncodeError:
                return -1
            at = <octets>PyBytes_AS_STRING(encoded)
            size = PyBytes_GET_SIZE(encoded)
        return self.key_of(at, size)

    def first_signed(
        self, header, name, prefix, skip=0, most=1, max_bytes=16384, max_pairs=256
    ):
        """As `signing_py.Keyring.first_signed`: (verdict, value, key, seen)."""
        return self.first(header, name, prefix, skip, most, max_bytes, max_pairs)

    def claim(self, headers, name, prefix, skip, most, max_bytes, max_pairs, index):
        """As `signing_py.Keyring.claim`: (verdict, value, key, seen, fingerprint)."""
        header = headers if PyUnicode_Check(headers) else gathered(headers)
        verdict, value, key, seen = self.first(
            header, name, prefix, skip, most, max_bytes, max_pairs
        )
        fingerprint = None
        if index is not None and value is not None:
            fingerprint = index.fingerprint(value)
        return verdict, value, key, seen, fingerprint

    cdef tuple first(
        self,
        header,
        name,
        prefix,
        Py_ssize_t seen,
        Py_ssize_t last,
        max_bytes,
        max_pairs,
    ):
        cdef Py_ssize_t key, start, size
        verdict = ABSENT
        while seen < last:
            text = find(header, name, seen, max_bytes, max_pairs)
            if text is None:
                break
            seen += 1
            if not PyUnicode_Tailmatch(text, prefix, 0, PY_SSIZE_T_MAX, -1):
                if PyUnicode_GET_LENGTH(text):
                    verdict = MALFORMED
                continue
            start, size = PyUnicode_GET_LENGTH(prefix), PyUnicode_GET_LENGTH(text)
            if PyUnicode_IS_ASCII(text):
                key = self.key_of(<octets>PyUnicode_DATA(text) + start, size - start)
            else:
                key = self.verify(text[start:])
            if key < 0:
                verdict = FORGED
            elif size - start == MAC_CHARS + 1:
                verdict = MALFORMED
            else:
                return SIGNED, PyUnicode_Substring(text, start, size - MAC_CHARS - 1), key, seen
        return verdict, None, -1, seen

    cdef Py_ssize_t key_of(self, octets at, Py_ssize_t size) noexcept:
        """Index of the first key that signed these octets, or -1."""
        cdef uint8_t mac[DIGEST]
        cdef uint8_t given[DIGEST]
        cdef Py_ssize_t index
        size -= MAC_CHARS + 1
        # No dot can hide in a MAC, so this one is the last.
        if size < 0 or at[size] != c"." or not sf_decode(at + size + 1, given):
            return -1
        for index in range(self.count):
            sf_mac(self.compress, &self.keys[index], at, size, mac)
            if sf_same(mac, given):
                return index
        return -1

    def fingerprint(self, value):
        """As `signing_py.Keyring.fingerprint`: 32 characters of base64url from its MAC."""
        cdef uint8_t mac[DIGEST]
        self.mac_of(value, mac)
        text = PyUnicode_New(32, 0x7F)
        sf_encode(SF_URLSAFE, mac, 24, <char*>PyUnicode_DATA(text))
        return text

    cdef int mac_of(self, object value, uint8_t* mac) except -1:
        """The MAC of a str under the first key."""
        if not PyUnicode_Check(value):
            raise TypeError("value must be str")
        if PyUnicode_IS_ASCII(value):
            sf_mac(
                self.compress,
                self.keys,
                <octets>PyUnicode_DATA(value),
                PyUnicode_GET_LENGTH(value),
                mac,
            )
            return 0
        try:
            encoded = PyUnicode_AsUTF8String(value)
        except UnicodeEncodeError:
            raise ValueError("value has lone surrogates") from None
        sf_mac(
            self.compress,
            self.keys,
            <octets>PyBytes_AS_STRING(encoded),
            PyBytes_GET_SIZE(encoded),
            mac,
        )
        return 0
