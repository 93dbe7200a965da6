"""Requests per second over real servers, with sessfast and without.

python -m bench.servers [--quick]    or    bench.servers.measure(quick, say)
"""

from bench.servers.contest import measure
from bench.servers.lineup import versions

__all__ = ["measure", "versions"]
