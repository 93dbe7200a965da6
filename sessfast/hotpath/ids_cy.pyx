"""Compiled twin of `ids_py`: ids out of a buffered pool of random octets.

No octet leaves the pool twice, in no process: what is taken is wiped at once, and a child
finds the pool empty. The pool is a page that the kernel itself gives to a child as zeros
(madvise MADV_WIPEONFORK), even where a raw clone passes by every fork handler, and its count
of octets lies in that page. Where the kernel has no such page, the process id is compared
before each use.
"""

import os

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_Check, PyBytes_GET_SIZE
from cpython.ref cimport PyObject
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

cdef extern from "Python.h":
    void* PyUnicode_DATA(object text)
    object PyUnicode_New(Py_ssize_t size, Py_UCS4 maxchar)
    Py_ssize_t Py_REFCNT(PyObject* thing)

cdef extern from "sha256.h":
    const char* SF_URLSAFE
    void sf_encode(const char* alphabet, const uint8_t* data, size_t size, char* text) nogil
    void sf_wipe(void* data, size_t size) nogil

cdef extern from *:
    """
    #if defined(__unix__) || defined(__APPLE__)
    #include <sys/mman.h>
    #include <unistd.h>

    static void *sf_open_page(size_t size, int *wiped_on_fork) {
        void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
        if (page == MAP_FAILED) return NULL;
    #ifdef MADV_WIPEONFORK
        *wiped_on_fork = *wiped_on_fork && madvise(page, size, MADV_WIPEONFORK) == 0;
    #else
        *wiped_on_fork = 0;
    #endif
    #ifdef MADV_DONTDUMP
        (void)madvise(page, size, MADV_DONTDUMP); /* a core file needs no ids */
    #endif
        return page;
    }
    static void sf_close_page(void *page, size_t size) { munmap(page, size); }
    static int64_t sf_process(void) { return getpid(); }

    #else  /* no fork */

    #include <stdlib.h>
    static void *sf_open_page(size_t size, int *wiped_on_fork) {
        *wiped_on_fork = 1;
        return calloc(1, size);
    }
    static void sf_close_page(void *page, size_t size) { (void)size; free(page); }
    static int64_t sf_process(void) { return 0; }

    #endif
    """
    void* sf_open_page(size_t size, int* wiped_on_fork) nogil
    void sf_close_page(void* page, size_t size) nogil
    int64_t sf_process() nogil

REVISION = 1

cdef enum:
    ID = 24       # octets of an id
    ID_CHARS = 32
    DRAWN = 4080  # octets drawn at a time, 170 ids: what a page of 4096 holds beside its head

cdef struct Page:
    uint32_t left     # octets not yet taken; they lie at the end
    int64_t process   # who drew them, where the kernel doesn't wipe the page
    uint8_t octets[DRAWN]


@cython.final
cdef class Pool:
    """Random octets of this process."""

    cdef Page* page
    cdef int wiped_on_fork

    def __cinit__(self, bint wiped_on_fork=True):
        """wiped_on_fork: whether to ask the kernel for that. False is for the tests."""
        self.wiped_on_fork = wiped_on_fork
        self.page = <Page*>sf_open_page(sizeof(Page), &self.wiped_on_fork)
        if self.page is NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.page is not NULL:
            sf_wipe(self.page, sizeof(Page))
            sf_close_page(self.page, sizeof(Page))

    cpdef str take(self):
        """A new id. OSError: the system's random source failed."""
        cdef uint8_t taken[ID]
        cdef bint have
        while True:
            with cython.critical_section(self):
                have = self.pop(taken)
            if have:
                break
            self.draw()
        text = PyUnicode_New(ID_CHARS, 0x7F)
        sf_encode(SF_URLSAFE, taken, ID, <char*>PyUnicode_DATA(text))
        sf_wipe(taken, ID)
        return text

    cdef bint pop(self, uint8_t* taken) noexcept:
        """Move the octets of one id out of the pool; False where it has none left."""
        cdef Page* page = self.page
        if page.left < ID or not (self.wiped_on_fork or page.process == sf_process()):
            return False
        cdef uint8_t* at = page.octets + DRAWN - page.left
        page.left -= ID
        memcpy(taken, at, ID)
        sf_wipe(at, ID)
        return True

    cdef int draw(self) except -1:
        """Fill the pool."""
        cdef int64_t process = sf_process()
        drawn = os.urandom(DRAWN)
        if not PyBytes_Check(drawn) or PyBytes_GET_SIZE(drawn) != DRAWN:
            raise OSError("the random source gave too few octets")
        # A signal handler may fork while the source is read: then two processes hold these.
        if process == sf_process():
            with cython.critical_section(self):
                memcpy(self.page.octets, PyBytes_AS_STRING(drawn), DRAWN)
                self.page.process = process
                self.page.left = DRAWN
        if Py_REFCNT(<PyObject*>drawn) == 1:
            sf_wipe(PyBytes_AS_STRING(drawn), DRAWN)
        return 0


_pool = Pool()


def new_id():
    """As `ids_py.new_id`: 24 random octets as 32 characters of base64url."""
    return (<Pool>_pool).take()
