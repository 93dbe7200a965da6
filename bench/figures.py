"""How a figure is written: with a unit that suits it, and as many digits as one can believe."""

from __future__ import annotations

import math


def span(seconds: float | None) -> str:
    """A duration: `88 ns`, `1.61 µs`, `0.31 ms`."""
    if seconds is None or math.isnan(seconds):
        return "-"
    for unit, size, digits in (("ns", 1e-9, 0), ("µs", 1e-6, 2), ("ms", 1e-3, 2)):
        if abs(seconds) < 1000 * size:
            number = seconds / size
            return f"{number:.{max(0, digits - (abs(number) >= 100))}f} {unit}"
    return f"{seconds:.2f} s"


def micro(seconds: float | None) -> str:
    """A duration in µs, without the unit."""
    if seconds is None or math.isnan(seconds):
        return "-"
    number = seconds * 1e6
    return f"{number:,.{2 if abs(number) < 9.995 else 1 if abs(number) < 99.95 else 0}f}"


def times(ratio: float | None) -> str:
    """A ratio: `7.2x`."""
    if ratio is None or math.isnan(ratio):
        return "-"
    if math.isinf(ratio):
        return "∞"
    return f"{ratio:.{0 if ratio >= 20 else 1 if ratio >= 1 else 2}f}x"


def percent(part: float | None) -> str:
    """A change: `+4 %`."""
    return "-" if part is None else f"{part * 100:+.0f} %"


def clock(seconds: float) -> str:
    """About how long something takes: `40 s`, `3 min`."""
    return f"{max(1, round(seconds)):.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def count(number: float) -> str:
    """A number of things: `950`, `20,000`; from a million on a power of ten as `10⁶`."""
    if number >= 1e6 and math.log10(number).is_integer():
        return "10" + f"{math.log10(number):.0f}".translate(
            str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
        )
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:g}"
