cdef class DecisionTable:
    cdef public bint keeps_cookie, rolling, save_uninitialized

    cpdef tuple decide(
        self,
        bint fresh,
        bint modified,
        bint saved,
        bint explicitly_saved,
        bint stored,
        bint persistent,
        bint attributes_changed,
    )
