"""Compiled twin of `signing_py`, which is the specification.

A key is two SHA-256 states in a C struct, so that an id of 32 characters costs two
compressions per key that is tried. The MAC of a cookie is compared as octets.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_Check, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.unicode cimport (
    PyUnicode_AsUTF8String, PyUnicode_Check, PyUnicode_DecodeUTF8, PyUnicode_GET_LENGTH)
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp, memcpy

from sessfast.hotpath.pairs cimport cookie_header, decoded, decoded_ascii, located, octets

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    void* PyUnicode_DATA(object text)
    object PyUnicode_New(Py_ssize_t size, Py_UCS4 maxchar)

REVISION = 1

cpdef enum:
    ABSENT, MALFORMED, FORGED, SIGNED

cdef enum:
    DIGEST = 32
    MAC_CHARS = 43  # base64 of 32 octets without its padding
    FINGERPRINT_CHARS = 32
    LONGEST_ID = 256
    ROOM = 512      # octets of a cookie's value that are decoded without the heap


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

    cpdef str sign(self, value):
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

    cpdef stamped(self, str head, str sid, str tail):
        """As `signing_py.Keyring.stamped`: head, the signed sid percent-encoded, tail; or None."""
        cdef uint8_t mac[DIGEST]
        cdef char text[MAC_CHARS]
        cdef Py_ssize_t i, before, size, after, escapes = 0
        cdef char* into
        if head is None or sid is None or tail is None:
            raise TypeError("head, sid and tail must be str")
        size = PyUnicode_GET_LENGTH(sid)
        if not 0 < size <= LONGEST_ID or not PyUnicode_IS_ASCII(sid):
            return None
        cdef octets at = <octets>PyUnicode_DATA(sid)
        for i in range(size):
            if not is_plain(at[i]):
                return None
        sf_mac(self.compress, &self.keys[0], at, size, mac)
        sf_encode(SF_STANDARD, mac, DIGEST, text)
        for i in range(MAC_CHARS):
            escapes += text[i] == c"+" or text[i] == c"/"
        if not PyUnicode_IS_ASCII(head) or not PyUnicode_IS_ASCII(tail):
            return None
        before, after = PyUnicode_GET_LENGTH(head), PyUnicode_GET_LENGTH(tail)
        made = PyUnicode_New(before + size + 1 + MAC_CHARS + 2 * escapes + after, 0x7F)
        into = <char*>PyUnicode_DATA(made)
        memcpy(into, PyUnicode_DATA(head), before)
        into += before
        memcpy(into, at, size)
        into += size
        into[0] = c"."
        for i in range(MAC_CHARS):
            into += 1
            if text[i] == c"+" or text[i] == c"/":
                memcpy(into, b"%2B" if text[i] == c"+" else b"%2F", 3)
                into += 2
            else:
                into[0] = text[i]
        memcpy(into + 1, PyUnicode_DATA(tail), after)
        return made

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
        return self.first(header, name, prefix, skip, most, max_bytes, max_pairs, None)[:4]

    cpdef tuple claim(self, headers, name, prefix, skip, most, max_bytes, max_pairs, index):
        """As `signing_py.Keyring.claim`: (verdict, value, key, seen, fingerprint)."""
        header = headers if PyUnicode_Check(headers) else cookie_header(headers)
        return self.first(header, name, prefix, skip, most, max_bytes, max_pairs, index)

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
    ):
        cdef char room[ROOM]
        cdef octets at
        cdef octets stop
        cdef Py_ssize_t size, key, start_size
        cdef bint is_ascii
        cdef int verdict = ABSENT
        if not PyUnicode_Check(prefix):
            raise TypeError("prefix must be str")
        # As UTF-8, what has a lone surrogate is the start of no text.
        start = None if PyUnicode_IS_ASCII(prefix) else prefix.encode("utf-8", "surrogatepass")
        start_size = PyUnicode_GET_LENGTH(prefix) if start is None else PyBytes_GET_SIZE(start)
        while seen < last:
            at = located(header, name, seen, max_bytes, max_pairs, &stop)
            if at is NULL:
                break
            seen += 1
            size = decoded_ascii(at, stop, room, ROOM)
            is_ascii = size >= 0
            if is_ascii:
                at = <octets>room
            else:
                text = PyUnicode_AsUTF8String(decoded(at, stop))
                at, size = <octets>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text)
            if size < start_size or memcmp(
                at, PyUnicode_DATA(prefix) if start is None else PyBytes_AS_STRING(start), start_size
            ):
                if size:
                    verdict = MALFORMED
                continue
            at += start_size
            size -= start_size
            key = self.key_of(at, size)
            size -= MAC_CHARS + 1
            if key < 0:
                verdict = FORGED
            elif size == 0:
                verdict = MALFORMED
            else:
                if is_ascii:
                    value = PyUnicode_New(size, 0x7F)
                    memcpy(PyUnicode_DATA(value), at, size)
                else:
                    value = PyUnicode_DecodeUTF8(<const char*>at, size, NULL)
                if index is None:
                    return SIGNED, value, key, seen, None
                return SIGNED, value, key, seen, (<Keyring?>index).fingerprint_of(at, size)
        return verdict, None, -1, seen, None

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

    cpdef str fingerprint(self, value):
        """As `signing_py.Keyring.fingerprint`: 32 characters of base64url from its MAC."""
        cdef uint8_t mac[DIGEST]
        self.mac_of(value, mac)
        return fingerprint_text(mac)

    cdef str fingerprint_of(self, octets at, Py_ssize_t size):
        """The fingerprint of the text that has these octets as UTF-8."""
        cdef uint8_t mac[DIGEST]
        sf_mac(self.compress, self.keys, at, size, mac)
        return fingerprint_text(mac)

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


cdef inline bint is_plain(uint8_t octet) noexcept:
    """Whether it is one of base64url's characters."""
    return (
        c"a" <= octet <= c"z" or c"A" <= octet <= c"Z" or c"0" <= octet <= c"9"
        or octet == c"-" or octet == c"_"
    )


cdef inline str fingerprint_text(octets mac):
    text = PyUnicode_New(FINGERPRINT_CHARS, 0x7F)
    sf_encode(SF_URLSAFE, mac, 24, <char*>PyUnicode_DATA(text))
    return text
