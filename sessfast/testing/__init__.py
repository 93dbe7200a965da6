"""For tests of apps and of stores: a clock, faults, the contract, sessions put in by hand."""

from sessfast.testing.clock import FakeClock
from sessfast.testing.contract import StoreContract
from sessfast.testing.faulty import FaultyStore
from sessfast.testing.seeding import peek, seed

__all__ = ["FakeClock", "FaultyStore", "StoreContract", "peek", "seed"]
