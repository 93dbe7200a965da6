"""The report's plots, as SVG: the same file for the same figures, text as text.

Each stands on a ground of its own, and has dark colours for a reader whose browser asks for
them, so that it can be read wherever it is shown.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from bench.figures import count, micro, times
from bench.report import by_contest, curve_points, slug, table_points
from bench.results import COLUMNS, OURS, Results, Row

GROUND, INK, FAINT, GRID, PEER = "#ffffff", "#1f2328", "#656d76", "#d8dee4", "#8c959f"
BLUE, SKY, GREEN, PINK, AMBER = "#0067a5", "#3d8fc9", "#00805d", "#b0508a", "#a06d00"
DARK = {  # which colour takes whose place on a dark ground
    GROUND: "#0d1117", INK: "#e6edf3", FAINT: "#9198a1", GRID: "#30363d", PEER: "#7d8590",
    BLUE: "#2f8fd8", SKY: "#9fd0f5", GREEN: "#2fb48a", PINK: "#cc79a7", AMBER: "#e69f00",
}  # fmt: skip
COLOURS = {  # in the hues of Okabe and Ito, which the colour-blind can tell apart too
    "compiled": BLUE,
    "sessfast": BLUE,
    "pure": SKY,
    "floor": GREEN,
    "starlette": PINK,
    "dict of tuples": AMBER,
}
SHORT = {"compiled": "sessfast", "pure": "sessfast, pure Python", "starlette": "Starlette",
         "floor": "floor (all in C)"}  # fmt: skip
CURVES = {  # what a reader is told a curve of curves.py shows
    "cookies": "What a read costs as the Cookie header fills with others' cookies",
    "secrets": "What a read costs where the oldest of several secrets signed the cookie",
    "secrets, forged": "What a forged cookie costs, with several secrets to try",
    "payload, read": "What a read costs as the session grows",
    "payload, write": "What a write costs as the session grows",
    "sessions": "What a read costs as the store fills with sessions",
    "hostile header": "What a hostile Cookie header costs as it grows",
}
STYLE: dict[Any, Any] = {  # matplotlib's types want its own names as keys
    "svg.fonttype": "none",
    "svg.hashsalt": "sessfast",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 10,
    "figure.facecolor": GROUND,
    "axes.facecolor": GROUND,
    "axes.edgecolor": GRID,
    "axes.labelcolor": FAINT,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": FAINT,
    "ytick.labelcolor": INK,
}


class Plot(NamedTuple):
    """One plot. name: of its file, without .svg; draw: onto a figure of matplotlib's."""

    name: str
    title: str
    draw: Callable[[Any], None]


def plots(results: Results) -> list[Plot]:
    """Everything that can be drawn of what was measured, in order."""
    return [*floor_plots(results), *peer_plots(results), *curve_plots(results),
            *table_plots(results), *server_plots(results)]  # fmt: skip


def save(plot: Plot, folder: Path) -> Path:
    """Draw a plot into a folder; the file. Needs matplotlib."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{plot.name}.svg"
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        figure = Figure(layout="constrained")
        FigureCanvasSVG(figure)
        plot.draw(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    path.write_text(for_both_grounds(out.getvalue()))
    return path


def for_both_grounds(svg: str) -> str:
    """An SVG with rules that exchange its colours where the reader prefers a dark ground.

    matplotlib writes colours into style attributes, so the rules look for them there.
    """
    rules = "".join(
        f'[style*="{kind}: {light}"]{{{kind}:{dark}!important}}'
        for light, dark in DARK.items()
        for kind in ("fill", "stroke")
    )
    head = f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style>\n <defs>"
    return svg.replace("<defs>", head, 1)


# -- parts of a plot -----------------------------------------------------------------------------


def headline(figure: Any, title: str, under: str) -> None:
    """What the plot shows, and how to read it."""
    figure.suptitle(
        title, x=0.012, ha="left", fontsize=13, fontweight="bold", color=INK, va="top", y=0.99
    )
    figure.text(
        0.012, 0.99 - 0.30 / figure.get_figheight(), under, ha="left", va="top", color=FAINT,
        fontsize=9.5,
    )  # fmt: skip
    figure.get_layout_engine().set(
        rect=(0.004, 0.004, 0.992, 0.99 - 0.62 / figure.get_figheight()), hspace=0.06, wspace=0.03
    )


def bars(axes: Any, figures: Mapping[str, float | None], shown: Callable[[float], str],
         limits: tuple[float, float]) -> None:  # fmt: skip
    """Horizontal bars on a log axis, the first on top, each with its figure."""
    low, high = limits
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(len(figures) - 0.4, -0.6)
    for place, (who, value) in enumerate(figures.items()):
        if value:
            axes.barh(place, value - low, left=low, height=0.68, color=colour_of(who))
        is_ours = who.startswith(OURS)
        axes.annotate(
            shown(value) if value else "not measured", (value or low, place), xytext=(4, 0),
            textcoords="offset points", va="center", color=INK if value else FAINT, fontsize=9,
            fontweight="bold" if is_ours else "normal",
        )  # fmt: skip
    axes.set_yticks(range(len(figures)), [label(who) for who in figures])
    for text, who in zip(axes.get_yticklabels(), figures, strict=True):
        text.set_fontweight("bold" if who.startswith(OURS) else "normal")
    axes.tick_params(axis="both", which="both", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["bottom"].set_visible(False)


def around(figures: Iterable[float | None]) -> tuple[float, float]:
    """Limits of a log axis: a power of ten below the least; room for words beside the largest."""
    known = [value for value in figures if value]
    return 10 ** math.floor(math.log10(min(known))), max(known) * 15


def colour_of(who: str) -> str:
    """Of a contestant, or of one `contestant/front`."""
    return COLOURS.get(who.partition("/")[0], PEER)


def label(who: str) -> str:
    """How a contestant is called in a plot; `contestant/front` with its front."""
    name, _, front = who.partition("/")
    return SHORT.get(name, name) + (f", {front.upper()}" if front else "")


def ticks(axes: Any, axis: str) -> None:
    """Plain numbers on a log axis: powers of ten, and what lies between where there are few."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = sorted(getattr(axes, f"get_{axis}lim")())
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1,) if math.log10(high / low) > 1.9 else (1, 2, 5)
    places = [step * 10.0**power for power in powers for step in steps]
    made = getattr(axes, f"{axis}axis")
    made.set_major_locator(FixedLocator([place for place in places if low <= place <= high]))
    made.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    made.set_minor_locator(NullLocator())


def spread_out(places: Sequence[float], least: float) -> list[float]:
    """The places moved apart so that neighbours are `least` apart, in the order they had."""
    order = sorted(range(len(places)), key=lambda n: places[n])
    groups: list[tuple[list[int], float]] = []  # members, and the middle they stand around
    for member in order:
        groups.append(([member], places[member]))
        while len(groups) > 1:
            (left, a), (right, b) = groups[-2:]
            if b - a >= least * (len(left) + len(right)) / 2 - 1e-12:
                break
            size = len(left) + len(right)
            groups[-2:] = [([*left, *right], (a * len(left) + b * len(right)) / size)]
    moved = list(places)
    for members, middle in groups:
        for n, member in enumerate(members):
            moved[member] = middle + (n - (len(members) - 1) / 2) * least
    return moved


def lines(axes: Any, series: Mapping[str, Mapping[float, float]], height: float) -> None:
    """Log-log lines, each named at its right end. height: of the axes, in inches."""
    ends = {}
    for who, points in series.items():
        colour = colour_of(who)
        xs, ys = list(points), list(points.values())
        axes.plot(xs, ys, color=colour, marker="o", markersize=4, linewidth=2)
        ends[who] = (xs[-1], ys[-1], colour)
    axes.set_xscale("log")
    axes.set_yscale("log")
    values = [y for points in series.values() for y in points.values()]
    low, high = math.log10(min(values)) - 0.12, math.log10(max(values)) + 0.12
    if high - low < 1:  # so that a flat line looks flat
        middle = (low + high) / 2
        low, high = middle - 0.5, middle + 0.5
    axes.set_ylim(10**low, 10**high)
    right = max(x for x, _, _ in ends.values())
    whole = {who: end for who, end in ends.items() if end[0] == right}
    heights = [math.log10(y) for _, y, _ in whole.values()]
    places = spread_out(heights, 0.19 * (high - low) / height)
    beside: dict[str, Any] = {"textcoords": "offset points", "fontsize": 9.5, "fontweight": "bold",
                              "annotation_clip": False}  # fmt: skip
    for (who, (x, y, colour)), place in zip(whole.items(), places, strict=True):
        axes.annotate(f"{label(who)}  {shown_value(y)}", (x, 10**place), xytext=(10, 0),
                      va="center", color=colour, **beside)  # fmt: skip
    for who, (x, y, colour) in ends.items():
        if who not in whole:  # it ends where the others go on
            axes.annotate(f"{label(who)}  {shown_value(y)}", (x, y), xytext=(0, 9),
                          ha="center", va="bottom", color=colour, **beside)  # fmt: skip
    ticks(axes, "y")
    axes.tick_params(axis="both", which="both", length=0)


def shown_value(value: float) -> str:
    return micro(value / 1e6)


# -- requests against the floor, and against peers -----------------------------------------------


def floor_plots(results: Results) -> Iterator[Plot]:
    """Both fronts: what a session costs, and the least that CPython allows."""
    cells = by_contest(results.of("requests"))
    fronts = [f for f in ("wsgi", "asgi") if any(c.startswith(f"{f}, small,") for c in cells)]
    if not fronts:
        return
    has_floor = any("floor" in rows for rows in cells.values())
    title = ("What a session costs, and the least that CPython allows" if has_floor
             else "What a session costs")  # fmt: skip

    def draw(figure: Any) -> None:
        figure.set_size_inches(10, 1.2 + 2.3 * len(fronts) * 2)
        grid = figure.subplots(2 * len(fronts), 3, squeeze=False)
        limits = around(
            row.figure * 1e6 for name, rows in cells.items() for who, row in rows.items()
            if ", small," in name and "bare" not in who
        )  # fmt: skip
        for number, front in enumerate(fronts):
            for place, column in enumerate(COLUMNS):
                axes = grid[2 * number + place // 3][place % 3]
                rows = cells.get(f"{front}, small, {column}", {})
                order = [who for who in ("floor", "compiled", "pure", "starlette")
                         if any(who in cell for name, cell in cells.items()
                                if name.startswith(front))]  # fmt: skip
                figures = {who: rows[who].figure * 1e6 if who in rows else None for who in order}
                floor = figures.get("floor")
                bars(axes, figures, partial(with_ratio, floor=floor), limits)
                ticks(axes, "x")
                axes.set_title(f"{front.upper()}: {column}")
                if place % 3:
                    axes.tick_params(axis="y", labelleft=False)
                if place >= 3:
                    axes.set_xlabel("µs per request (log)")
        under = "µs per request above the bare app; less is better"
        headline(figure, title, under + ("; in brackets: times the floor" if has_floor else ""))

    yield Plot("floor", title, draw)


def with_ratio(value: float, floor: float | None) -> str:
    """A figure in µs, and how many times the floor it is."""
    text = shown_value(value)
    return text if floor is None or value == floor else f"{text}  ({times(value / floor)})"


def peer_plots(results: Results) -> Iterator[Plot]:
    """All session layers in all six columns."""
    for size in ("small", "1 KB"):
        everyone = contestants(results, size)
        if all(row.parts[1] != size for row in results.of("peers")):
            continue
        title = f"What each session layer costs per request ({session_of(size)})"

        def draw(figure: Any, everyone: Mapping[str, Sequence[float | None]] = everyone,
                 title: str = title) -> None:  # fmt: skip
            figure.set_size_inches(10, 1.3 + 2 * (0.55 + 0.25 * len(everyone)))
            grid = figure.subplots(2, 3, squeeze=False)
            limits = around(value for figures in everyone.values() for value in figures)
            for place, column in enumerate(COLUMNS):
                axes = grid[place // 3][place % 3]
                bars(axes, {who: figures[place] for who, figures in everyone.items()},
                     shown_value, limits)  # fmt: skip
                ticks(axes, "x")
                axes.set_title(column)
                if place % 3:
                    axes.tick_params(axis="y", labelleft=False)
                if place >= 3:
                    axes.set_xlabel("µs per request (log)")
            under = (
                "µs per request above the bare app, in memory, no server in between; less is better"
            )
            headline(figure, title, f"{under}. From line to line it is ten times as much")

        yield Plot("peers" if size == "small" else "peers-1kb", title, draw)


def session_of(size: str) -> str:
    return "a session of three keys" if size == "small" else f"a session of {size}"


def contestants(results: Results, size: str) -> dict[str, list[float | None]]:
    """{who: µs in each of the six columns}: the floor and ours first, then peers, cheap first."""
    found: dict[str, dict[str, Row]] = {}
    for row in results.of("requests"):
        front, its_size, column = row.parts
        if its_size == size and row.who in {"floor", "compiled", "pure", "starlette"}:
            who = f"{row.who}/{front}" if row.who != "starlette" else row.who
            found.setdefault(who, {})[column] = row
    for row in results.of("peers"):
        name, its_size, column = row.parts
        if its_size == size and row.who == "peer":
            found.setdefault(name, {})[column] = row
    if any(name.lower().startswith("starlette") for name in found if name != "starlette"):
        found.pop("starlette", None)  # it is among the peers
    figures = {
        who: [positive(cells[c].figure) if c in cells else None for c in COLUMNS]
        for who, cells in found.items()
    }
    ours = [f"{who}/{front}" for who in ("floor", "compiled", "pure") for front in ("wsgi", "asgi")]
    others = sorted((who for who in figures if who not in ours), key=lambda who: mean(figures[who]))
    return {who: figures[who] for who in (*ours, *others) if who in figures}


def positive(seconds: float) -> float | None:
    """µs; None for what lies below the precision of the measuring."""
    return seconds * 1e6 if seconds > 0 else None


def mean(figures: Sequence[float | None]) -> float:
    """The mean of their logarithms."""
    known = [math.log(value) for value in figures if value]
    return sum(known) / len(known) if known else math.inf


# -- curves, table, servers ----------------------------------------------------------------------


def curve_plots(results: Results) -> Iterator[Plot]:
    """A plot per curve."""
    for curve, points in curve_points(results).items():
        series: dict[str, dict[float, float]] = {}
        unit = ""
        for x, rows in points.items():
            for who, row in rows.items():
                unit = row.extra.get("unit", unit)
                if not who.endswith("bare") and row.figure > 0:
                    series.setdefault(who, {})[x] = row.figure * 1e6
        if series:
            yield line_plot(f"curve-{slug(curve)}", CURVES.get(curve, curve), series,
                            unit or curve, "µs per request above the bare app")  # fmt: skip


def line_plot(name: str, title: str, series: Mapping[str, Mapping[float, float]], across: str,
              up: str) -> Plot:  # fmt: skip
    """A plot of one panel with lines."""

    def draw(figure: Any) -> None:
        figure.set_size_inches(9, 4.2)
        axes = figure.subplots()
        lines(axes, series, 3.0)
        xs = sorted({x for points in series.values() for x in points})
        set_places(axes, xs)
        axes.set_xlabel(f"{across} (log)")
        axes.set_ylabel("µs (log)")
        headline(figure, title, f"{up}; less is better")

    return Plot(name, title, draw)


def set_places(axes: Any, xs: Sequence[float]) -> None:
    """Label a log axis where something was measured, as far as there is room."""
    shown: list[float] = []
    whole = math.log10(xs[-1] / xs[0]) or 1.0
    for x in xs:
        if not shown or math.log10(x / shown[-1]) / whole > 0.07:
            shown.append(x)
    axes.set_xticks(shown, [count(x) for x in shown])
    axes.set_xticks([], minor=True)


def table_plots(results: Results) -> Iterator[Plot]:
    """The table's operations beside a dict's, at each size."""
    operations = table_points(results)
    if not operations:
        return
    title = "One operation of the in-memory table, beside a dict of tuples"

    def draw(figure: Any) -> None:
        figure.set_size_inches(10, 1.0 + 2.6 * math.ceil(len(operations) / 2))
        grid = figure.subplots(math.ceil(len(operations) / 2), 2, squeeze=False)
        for number, (operation, points) in enumerate(operations.items()):
            axes = grid[number // 2][number % 2]
            series: dict[str, dict[float, float]] = {}
            for n, rows in points.items():
                for who, row in rows.items():
                    if row.median:
                        series.setdefault(who, {})[n] = row.median * 1e6
            lines(axes, series, 1.7)
            set_places(axes, sorted(points))
            axes.set_title(operation)
            axes.set_ylabel("µs (log)")
            axes.set_xlabel("entries in the table (log)")
        for extra in range(len(operations), grid.size):
            grid[extra // 2][extra % 2].set_visible(False)
        headline(figure, title, "µs per call, keys visited in random order; less is better. "
                 "A dict of tuples has no bounds, no order of use and no lock")  # fmt: skip

    yield Plot("table", title, draw)


def server_plots(results: Results) -> Iterator[Plot]:
    """Requests per second behind real servers, beside the bare app's."""
    rows = results.of("servers")
    cells: dict[str, dict[str, dict[str, Row]]] = {}
    for row in rows:
        server, front, column = row.parts
        cells.setdefault(column, {}).setdefault(f"{server}, {front}", {})[row.who] = row
    if not cells:
        return
    title = "Requests per second behind a real server, as part of the bare app's"
    who = [name for name in dict.fromkeys(row.who for row in rows) if not name.startswith("bare")]
    servers = list(dict.fromkeys(server for column in cells.values() for server in column))
    order = [c for c in COLUMNS if c in cells] + [c for c in cells if c not in COLUMNS]

    def draw(figure: Any) -> None:
        wide = 2 if len(order) in (2, 4) else min(3, len(order))
        high = math.ceil(len(order) / wide)
        figure.set_size_inches(10, 1.2 + high * (0.6 + 0.24 * len(servers) * (len(who) + 0.6)))
        grid = figure.subplots(high, wide, squeeze=False)
        for number, column in enumerate(order):
            axes = grid[number // wide][number % wide]
            share_bars(axes, cells[column], servers, who)
            axes.set_title(column)
            if number % wide:
                axes.tick_params(axis="y", labelleft=False)
            if number >= len(order) - wide:
                axes.set_xlabel("part of the bare app's requests/s")
        for extra in range(len(order), grid.size):
            grid[extra // wide][extra % wide].set_visible(False)
        headline(figure, title, "1.0: as many requests per second as without sessions; "
                 "more is better. In brackets: requests per second")  # fmt: skip

    yield Plot("servers", title, draw)


def share_bars(axes: Any, rows: Mapping[str, Mapping[str, Row]], servers: Sequence[str],
               who: Sequence[str]) -> None:  # fmt: skip
    """A group of bars per server, one bar per contestant."""
    places, names, place = [], [], 0.0
    for server in servers:
        for each in (name for name in who if name in rows.get(server, {})):
            row = rows[server][each]
            names.append(f"{server}: {label(each)}")
            places.append(place)
            share = float(row.extra["ratio_to_bare"])
            axes.barh(place, share, height=0.8, color=colour_of(each))
            axes.annotate(
                f"{share:.2f}  ({row.extra['rps']:,.0f}/s)", (0, place), xytext=(6, 0),
                textcoords="offset points", va="center", fontsize=9, color=GROUND,
                fontweight="bold",
            )  # fmt: skip
            place += 1
        place += 0.6
    axes.axvline(1.0, color=INK, linewidth=1)
    axes.set_xlim(0, 1.1)
    axes.set_ylim(place - 1.0, -0.7)
    axes.set_yticks(places, names)
    axes.tick_params(axis="both", which="both", length=0)
    axes.grid(visible=False, axis="y")
