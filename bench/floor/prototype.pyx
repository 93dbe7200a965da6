"""The floor: what CPython itself allows for a session, all in C, with no rules in it.

A throw-away prototype that is raced beside sessfast, and is of no other use. It does exactly the
work of the columns:

    untouched     a session object is made and put into the environ or scope, `start_response` or
                  `send` is wrapped; nobody looks at the header
    first touch   the Cookie header is scanned for one name (under ASGI the list of headers first),
                  HMAC-SHA256 from midstates under one secret after another, with SHA instructions
                  where there are, one `get` of our compiled TTLTable; msgspec decodes
    first header  after a write msgspec encodes, one `update` or `create` of the table; for a new
                  session an id from a pool, its MAC, and a Set-Cookie put together by memcpy

It leaves out all the rest: options, races, events, outages, rotation, an end of life beyond the
table's, hashed store keys (one MAC less than sessfast), nested changes, Vary and Cache-Control,
bodies that stream, percent-encoding beyond its own cookie's, methods of dict that no column
calls, keyword arguments, forks, threads. Don't serve anything with it.
"""

import os

cimport cython
import msgspec
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_SetItem, PyDict_Update
from cpython.object cimport PyObject
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memchr, memcmp, memcpy
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

ctypedef const uint8_t* octets

cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        Py_ssize_t tp_vectorcall_offset
        void* tp_call
        unsigned long tp_flags
    const unsigned long Py_TPFLAGS_HAVE_VECTORCALL
    object PyVectorcall_Call(object self, object given, object names)
    Py_ssize_t PyVectorcall_NARGS(size_t count)
    PyObject* PyDict_GetItemWithError(object dict, object key) except? NULL
    bint PyUnicode_IS_ASCII(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    object PyUnicode_New(Py_ssize_t size, Py_UCS4 maxchar)

cdef extern from "sha256.h":
    ctypedef struct sf_key:
        pass
    ctypedef void (*sf_compress)(uint32_t* state, octets data, size_t blocks) noexcept nogil
    const char* SF_STANDARD
    const char* SF_URLSAFE
    sf_compress sf_best() nogil
    void sf_set_key(sf_compress compress, sf_key* key, octets secret, size_t size) nogil
    void sf_mac(
        sf_compress compress, const sf_key* key, octets data, size_t size, uint8_t* mac
    ) nogil
    bint sf_same(octets first, octets second) nogil
    void sf_encode(const char* alphabet, octets data, size_t size, char* text) nogil

cdef enum:
    NAME = 12  # characters of "connect.sid="
    MARK = 4  # of "s%3A"
    ID = 32  # of an id: base64url of 24 octets
    ID_OCTETS = 24
    MAC = 43  # characters of a MAC, before percent-encoding
    DIGEST = 32
    TAIL = 32  # characters of ATTRIBUTES
    LONGEST = NAME + MARK + ID + 1 + 3 * MAC + TAIL  # characters of a Set-Cookie value
    SECRETS = 16  # at most
    DRAWN = 4080  # octets drawn for ids at a time

cdef const char* START = b"connect.sid=s%3A"
cdef const char* ATTRIBUTES = b"; Path=/; HttpOnly; SameSite=Lax"
cdef double LIFE = 1800.0


cdef inline double clock() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_REALTIME, &now)
    return now.tv_sec + now.tv_nsec * 1e-9


cdef inline octets value_in(octets at, octets end, octets* stop) noexcept:
    """Where the value of our cookie begins, and in `stop` where it ends; NULL: there is none."""
    while at < end:
        stop[0] = <octets>memchr(at, c";", end - at)
        if stop[0] == NULL:
            stop[0] = end
        while at < stop[0] and at[0] == c" ":
            at += 1
        if stop[0] - at >= NAME and memcmp(at, START, NAME) == 0:
            return at + NAME
        at = stop[0] + 1
    return NULL


cdef inline bint read_value(octets at, octets stop, uint8_t* mac) noexcept:
    """Whether the value has the form `s%3A<id>.<MAC>`; its MAC, percent-decoded but in base64."""
    cdef octets escape
    cdef Py_ssize_t room = MAC, size
    if stop - at < MARK + ID + 1 + MAC or memcmp(at, START + NAME, MARK) or at[MARK + ID] != c".":
        return False
    at += MARK + ID + 1
    while True:
        escape = <octets>memchr(at, c"%", stop - at)
        size = (stop if escape == NULL else escape) - at
        if size > room:
            return False
        memcpy(mac, at, size)
        room -= size
        if escape == NULL:
            return room == 0
        if room == 0 or stop - escape < 3 or escape[1] != c"2":
            return False
        mac[size] = c"+" if escape[2] == c"B" else c"/" if escape[2] == c"F" else c"%"
        mac += size + 1
        room -= 1
        at = escape + 3


# -- what all requests of one middleware share ---------------------------------------------------


@cython.final
cdef class Front:
    """A middleware. secrets: bytes, the first signs; table: a compiled TTLTable"""

    cdef void* call
    cdef object app, get, create, update, decode, encode
    cdef sf_compress compress
    cdef sf_key keys[SECRETS]
    cdef Py_ssize_t count, left
    cdef uint8_t pool[DRAWN]

    def __init__(self, app, secrets, table, bint is_asgi):
        cdef Py_ssize_t i
        if not 0 < len(secrets) <= SECRETS:
            raise ValueError(f"1 to {SECRETS} secrets")
        self.call = <void*>asgi if is_asgi else <void*>wsgi
        self.app, self.compress, self.count = app, sf_best(), len(secrets)
        for i, secret in enumerate(secrets):
            at, size = <octets>PyBytes_AS_STRING(secret), PyBytes_GET_SIZE(secret)
            sf_set_key(self.compress, &self.keys[i], at, size)
        self.get, self.create, self.update = table.get, table.create, table.update
        self.decode = msgspec.json.Decoder(dict).decode
        self.encode = msgspec.json.Encoder().encode

    cdef object verified(self, octets at, Py_ssize_t size):
        """The id in a Cookie header that one of the secrets signed, or None."""
        cdef octets stop
        cdef uint8_t given[MAC]
        cdef uint8_t made[MAC]
        cdef uint8_t mac[DIGEST]
        cdef Py_ssize_t i
        at = value_in(at, at + size, &stop)
        if at != NULL and read_value(at, stop, given):
            for i in range(self.count):
                sf_mac(self.compress, &self.keys[i], at + MARK, ID, mac)
                # encoding what is right costs less than decoding what was given
                sf_encode(SF_STANDARD, mac, DIGEST, <char*>made)
                if sf_same(made, given) & sf_same(made + MAC - DIGEST, given + MAC - DIGEST):
                    key = PyUnicode_New(ID, 0x7F)
                    memcpy(PyUnicode_DATA(key), at + MARK, ID)
                    return key
        return None

    cdef object minted(self):
        """A new id."""
        if self.left == 0:
            drawn = os.urandom(DRAWN)
            memcpy(self.pool, PyBytes_AS_STRING(drawn), DRAWN)
            self.left = DRAWN
        self.left -= ID_OCTETS
        key = PyUnicode_New(ID, 0x7F)
        sf_encode(SF_URLSAFE, self.pool + self.left, ID_OCTETS, <char*>PyUnicode_DATA(key))
        return key

    cdef Py_ssize_t write_cookie(self, key, char* text) noexcept:
        """Write the Set-Cookie value for an id; its length."""
        cdef uint8_t mac[DIGEST]
        cdef char plain[MAC]
        cdef char* at = text + NAME + MARK + ID + 1
        cdef int i
        sf_mac(self.compress, self.keys, <octets>PyUnicode_DATA(key), ID, mac)
        sf_encode(SF_STANDARD, mac, DIGEST, plain)
        memcpy(text, START, NAME + MARK)
        memcpy(text + NAME + MARK, PyUnicode_DATA(key), ID)
        text[NAME + MARK + ID] = c"."
        for i in range(MAC):
            at[0] = plain[i]
            if plain[i] == c"+" or plain[i] == c"/":
                memcpy(at, b"%2B" if plain[i] == c"+" else b"%2F", 3)
                at += 2
            at += 1
        memcpy(at, ATTRIBUTES, TAIL)
        return at + TAIL - text


# -- a session -------------------------------------------------------------------------------------


@cython.final
cdef class Session(dict):
    """A dict that opens on first touch. request: a Cookie header, a list of headers, or None"""

    cdef Front front
    cdef object request, key, version
    cdef bint dirty

    cdef int open(self) except -1:
        request, self.request = self.request, None
        if isinstance(request, list):
            key = self.sought(request)
        elif PyUnicode_IS_ASCII(request):
            at, size = <octets>PyUnicode_DATA(request), PyUnicode_GET_LENGTH(request)
            key = self.front.verified(at, size)
        else:
            key = None
        if key is not None:
            record = <tuple>self.front.get(key, clock())
            if record is not None:
                self.key, self.version = key, record[1]
                PyDict_Update(self, self.front.decode(record[0]))
        return 0

    cdef object sought(self, list headers):
        """The verified id in the first Cookie header of an ASGI scope that has one, or None."""
        for pair in headers:
            name, value = (<tuple>pair)[0], (<tuple>pair)[1]
            if PyBytes_GET_SIZE(name) == 6 and not memcmp(PyBytes_AS_STRING(name), b"cookie", 6):
                at, size = <octets>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)
                key = self.front.verified(at, size)
                if key is not None:
                    return key
        return None

    cdef Py_ssize_t commit(self, char* text) except -1:
        """Store what was written; the length of the Set-Cookie value, or 0 where there is none."""
        cdef Front front = self.front
        cdef double now = clock()
        blob = front.encode(self)
        self.dirty = False
        if self.key is not None:
            self.version = front.update(self.key, blob, now + LIFE, self.version, now)
            return 0
        self.key = front.minted()
        self.version = front.create(self.key, blob, now + LIFE, now)
        return front.write_cookie(self.key, text)

    def __getitem__(self, key):
        if self.request is not None:
            self.open()
        cdef PyObject* found = PyDict_GetItemWithError(self, key)
        if found == NULL:
            raise KeyError(key)
        return <object>found

    def __setitem__(self, key, value):
        if self.request is not None:
            self.open()
        self.dirty = True
        PyDict_SetItem(self, key, value)

    def get(self, key, default=None):
        if self.request is not None:
            self.open()
        cdef PyObject* found = PyDict_GetItemWithError(self, key)
        return default if found == NULL else <object>found

    def update(self, other):
        if self.request is not None:
            self.open()
        self.dirty = True
        PyDict_Update(self, other)


cdef inline Session session_of(Front front, PyObject* request):
    cdef Session session = Session.__new__(Session)
    session.front = front
    if request != NULL:
        session.request = <object>request
    return session


# -- what is called: by vectorcall (PEP 590), which no Cython class has of itself --------------------


@cython.final
@cython.freelist(8)
cdef class Answer:
    """What an app is given as `start_response` or as `send`. inner: the server's own"""

    cdef void* call
    cdef Session session
    cdef object inner


cdef inline Answer answer_of(void* call, Session session, PyObject* inner):
    cdef Answer answer = Answer.__new__(Answer)
    answer.call, answer.session, answer.inner = call, session, <object>inner
    return answer


cdef inline int check(size_t count, int least, int most, PyObject* names) except -1:
    if names != NULL or not least <= PyVectorcall_NARGS(count) <= most:
        raise TypeError(f"{least} to {most} positional arguments")
    return 0


cdef object start(Answer self, PyObject** given, size_t count, PyObject* names):
    """start_response(status, headers, exc_info=None)"""
    cdef char text[LONGEST]
    cdef Py_ssize_t size
    check(count, 2, 3, names)
    headers = <object>given[1]
    if self.session.dirty:
        size = self.session.commit(text)
        if size:
            value = PyUnicode_New(size, 0x7F)
            memcpy(PyUnicode_DATA(value), text, size)
            headers = list(headers)
            (<list>headers).append(("Set-Cookie", value))
    if PyVectorcall_NARGS(count) == 2:
        return self.inner(<object>given[0], headers)
    return self.inner(<object>given[0], headers, <object>given[2])


cdef object send(Answer self, PyObject** given, size_t count, PyObject* names):
    """send(message): what it returns is the server's own awaitable."""
    cdef char text[LONGEST]
    cdef Py_ssize_t size
    check(count, 1, 1, names)
    message = <object>given[0]
    if self.session.dirty and message["type"] == "http.response.start":
        size = self.session.commit(text)
        if size:
            message = dict(message)
            message["headers"] = [*message["headers"], (b"set-cookie", text[:size])]
    return self.inner(message)


cdef object wsgi(Front self, PyObject** given, size_t count, PyObject* names):
    """app(environ, start_response)"""
    check(count, 2, 2, names)
    environ = <object>given[0]
    session = session_of(self, PyDict_GetItemWithError(environ, "HTTP_COOKIE"))
    PyDict_SetItem(environ, "sessfast.session", session)
    return self.app(environ, answer_of(<void*>start, session, given[1]))


cdef object asgi(Front self, PyObject** given, size_t count, PyObject* names):
    """app(scope, receive, send): a plain function, which returns the app's own awaitable."""
    check(count, 3, 3, names)
    scope = <object>given[0]
    session = session_of(self, PyDict_GetItemWithError(scope, "headers"))
    PyDict_SetItem(scope, "session", session)
    return self.app(scope, <object>given[1], answer_of(<void*>send, session, given[2]))


cdef int make_callable(kind, Py_ssize_t offset) except -1:
    """Let CPython call a class's objects by the pointer that they hold at `offset`."""
    cdef PyTypeObject* made = <PyTypeObject*><PyObject*>kind
    made.tp_vectorcall_offset, made.tp_call = offset, <void*>PyVectorcall_Call
    made.tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL
    return 0


cdef Answer _answer = Answer.__new__(Answer)
cdef Front _front = Front.__new__(Front)
make_callable(Answer, <char*>&_answer.call - <char*><PyObject*>_answer)
make_callable(Front, <char*>&_front.call - <char*><PyObject*>_front)
