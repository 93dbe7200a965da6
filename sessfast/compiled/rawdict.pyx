"""The compiled twin of sessfast/rawdict.py."""

from cpython.dict cimport PyDict_Clear, PyDict_SetItem, PyDict_Size, PyDict_Update
from cpython.object cimport PyObject


cdef extern from "Python.h":
    PyObject* PyDict_GetItemWithError(object dict, object key) except? NULL


cdef class RawDict(dict):
    """A dict with a second set of methods that no subclass overrides."""

    cpdef _put(self, key, value):
        PyDict_SetItem(self, key, value)

    cpdef _at(self, key):
        cdef PyObject* found = PyDict_GetItemWithError(self, key)
        if found == NULL:
            raise KeyError(key)
        return <object>found

    cpdef _find(self, key, default=None):
        cdef PyObject* found = PyDict_GetItemWithError(self, key)
        return default if found == NULL else <object>found

    cpdef Py_ssize_t _size(self):
        return PyDict_Size(self)

    cpdef _empty(self):
        PyDict_Clear(self)

    cpdef _refill(self, dict data):
        """Replace all content by that of `data`."""
        PyDict_Clear(self)
        PyDict_Update(self, data)


cpdef found(place, key):
    """`place.get(key)`, of an environ, scope or message; without a call where it is a dict."""
    if type(place) is not dict:
        return place.get(key)
    cdef PyObject* value = PyDict_GetItemWithError(place, key)
    return None if value == NULL else <object>value
