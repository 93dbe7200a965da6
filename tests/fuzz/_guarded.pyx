"""Calls that survive faults in native code; for a process of its own, since it takes its signals.

cysignals jumps out of the handler of SIGSEGV, SIGBUS, SIGABRT, SIGFPE or SIGILL back to sig_on().
What the call held is leaked, and its locks stay locked: enough for a fuzzer, for nothing else.
"""

from cysignals.signals cimport sig_off, sig_on


def guarded(function, *arguments):
    """function(*arguments); a fault in it is a cysignals.signals.SignalError."""
    sig_on()
    try:
        return function(*arguments)
    finally:
        sig_off()


def wild_read(address):
    """The octet at an address: a fault to plant."""
    cdef size_t place = address
    return (<volatile unsigned char *> place)[0]
