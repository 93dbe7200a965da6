from sessfast.compiled.rawdict cimport RawDict
from sessfast.compiled.state cimport State


cdef class Session(RawDict):
    cdef public object _driver, _request, _rules
    cdef public bint _committed, _secure
    cdef public State _state

    cpdef _park(self, rules, driver, request, bint secure)
    cpdef bint _adopt(self, found)
    cpdef State _opened(self)
    cpdef _lend(self)
    cpdef _handed(self, value)
    cpdef _write(self)


cdef class AsyncSession(Session):
    pass
