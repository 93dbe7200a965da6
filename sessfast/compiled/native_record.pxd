from sessfast.compiled.meta cimport Meta, meta_of
from sessfast.hotpath.envelope_cy cimport unwrap, wrap, wraps
from sessfast.hotpath.plain_cy cimport PlainWriter, plain_writer

cdef object _encode
cdef PlainWriter _writer
cdef Py_ssize_t SHORTEST_SUSPECT

cdef class NativeCodec:
    cpdef bytes dumps(self, data)
    cpdef bytes encode(self, key, data, text, Meta meta)
    cpdef tuple decode(self, key, blob)
    cpdef bint same(self, blob, text) except -1
