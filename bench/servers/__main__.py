"""`python -m bench.servers`: measure, and print what was seen as a table.

Exit status: 0, also where a target was missed; 1 where a server failed or nothing was measured.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from bench.servers.contest import measure
from bench.servers.lineup import SERVERS, versions
from bench.servers.process import ServerError

TARGET = 0.9
BUSY = 0.9  # below this the server waited: for wrk, or for a core that others used


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.servers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes instead of nine")
    names = list(dict.fromkeys(server.name for server in SERVERS))
    parser.add_argument("--only", choices=names, action="append", help="this server (repeatable)")
    parser.add_argument(
        "--again", action="store_true", help="race a second bare app too: how exact is this?"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write versions and rows there")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, leave)
    try:
        rows = measure(options.quick, progress, options.only or (), options.again)
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if not rows:
        return 1
    found = versions()
    if options.json:
        document = {"versions": found, "rows": rows}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    print("\n".join(table(rows)))
    print("\n" + ", ".join(f"{name} {number}" for name, number in found.items()))
    return 0


def leave(number: int, frame: object) -> NoReturn:
    """End by an exception, so that the servers are ended too."""
    sys.exit(128 + number)


def progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines of text: a block for each server and column, then what became of the target."""
    lines = [
        f"{'':36}{'':11}{'requests/s':>10}{'of bare':>9}{'p50 ms':>8}{'p99 ms':>8}"
        f"{'CPU µs':>8}{'above':>8}{'by CPU':>9}{'busy':>7}"
    ]
    for row in rows:
        leads = row["who"] == "bare"
        compared = [
            format(row["ratio_to_bare"], ".1%"),
            format(row["cpu_above_us"], ".1f"),
            format(row["cpu_ratio_to_bare"], ".1%"),
        ]
        ratio, above, by_cpu = [""] * 3 if leads else compared
        lines.append(
            f"{row['contest'] if leads else '':36}{row['who']:11}{row['rps']:>10,.0f}{ratio:>9}"
            f"{row['p50_ms']:>8.2f}{row['p99_ms']:>8.2f}"
            f"{row['cpu_us']:>8.1f}{above:>8}{by_cpu:>9}{row['busy']:>7.0%}"
        )
    lines += ["", f"target: reads at {TARGET:.0%} of the bare app's requests per second"]
    idle = {row["contest"] for row in rows if row["busy"] < BUSY}
    for row in rows:
        if row["who"] == "sessfast" and row["contest"].endswith(", read"):
            ratio, by_cpu = row["ratio_to_bare"], row["cpu_ratio_to_bare"]
            verdict = "kept" if ratio >= TARGET else "MISSED"
            if row["contest"] in idle:
                verdict = "unclear"
            lines.append(f"  {verdict:8}{ratio:6.1%} ({by_cpu:.1%} by CPU)  {row['contest']}")
    if idle:
        lines += [
            "",
            f"Some servers used less than {BUSY:.0%} of their core: others used it, or wrk was the",
            "slower one. Their requests per second say little; CPU µs still count.",
        ]
    return lines


if __name__ == "__main__":
    sys.exit(main())
