"""Figures, tables and sentences of the chapter on performance."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ... import records
from ...checks import require
from ...experiments.choices import PUBLISHED_PLASTIC
from ...experiments.sweeps import core_hours
from ...records import statistics
from ...timing import benchmark, gpu, retraining, walking_speed
from ...timing.benchmark import Workload
from .. import figures
from ..figures import Drawing
from ..phrases import between, enumerated

OWN = "fused path"
LOOP = benchmark.BASELINE[True]
CPU = gpu.CPU
COLUMNS = ["workload", "implementation", "milliseconds_per_step", "peak_megabytes", "ratio_to_reference"]
SIZE = ["network", "batch", "inputs", "hidden", "ticks"]
LOOKS = {
    "snnTorch": ("#D55E00", "s"),
    "Norse": ("#CC79A7", "v"),
    "SpikingJelly": ("#E69F00", "D"),
    LOOP: ("#D55E00", "s"),
    "gradient checkpointing": ("#D55E00", "d"),
    "reference path": ("#D55E00", "p"),
    "torch.compile": ("#CC79A7", "v"),
    "CUDA graph": ("#E69F00", "D"),
    "JAX": ("#009E73", "^"),
    "JAX, jax.checkpoint": ("#009E73", "<"),
    OWN: ("#0072B2", "o"),
    "fused path, CUDA graph": ("#56B4E9", "o"),
    CPU: ("#333333", "P"),
}


def workload(row: Any) -> Workload:
    """The workload of a row of measurements."""
    return Workload(row.network, *(int(getattr(row, key)) for key in SIZE[1:]), float(row.rate))


def span(values: Sequence[float], digits: int = 1) -> str:
    """From the least to the most of ``values``, with ``digits`` after the point."""
    return between(values, f".{digits}f")


def _said(x: float, form: str) -> str:
    return f"{x:{form}}" if x == x else "–"


def _times_by_panel(panels: Mapping[str, pd.Series], rows: int, called: Mapping[str, str] | None = None) -> Figure:
    """A panel for each title, with a mark for each implementation, as it is ``called``, along an axis of milliseconds."""
    names = [name for name in LOOKS if any(name in times and times[name] == times[name] for times in panels.values())]
    columns = math.ceil(len(panels) / rows)
    height = 0.7 + rows * (0.5 + 0.2 * len(names))
    figure, axes = figures.grid(rows, columns, height=height, sharey=True, squeeze=False)
    for axis, (title, times) in zip(axes.flat, panels.items()):
        for at, name in enumerate(names):
            colour, marker = LOOKS[name]
            x = times.get(name, math.nan)
            axis.plot(x, at, color=colour, marker=marker, ms=5, linestyle="none")
            if x == x:
                axis.annotate(
                    f"{x:,.0f}" if x >= 10 else f"{x:.1f}" if x >= 1 else f"{x:.2f}",
                    (x, at),
                    xytext=(0, 4),
                    textcoords="offset points",
                    ha="center",
                    fontsize=7,
                )
        axis.set(xscale="log", ylim=(len(names) - 0.5, -0.9))
        axis.set_yticks(range(len(names)), [(called or {}).get(name, name) for name in names])
        axis.set_title(title, fontsize=8)
        axis.grid(axis="y", lw=0.3)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    low, high = (f(times.dropna().pipe(f) for times in panels.values()) for f in (min, max))
    for axis in axes.flat:
        axis.set(xlim=(low / 3, high * 4))
        axis.xaxis.set_minor_formatter(NullFormatter())
    figure.supxlabel("time of a step (ms)", fontsize=9)
    return figure


# ---------------------------------------------------------------- on one core


def floor(row: Any, facts: Mapping[str, float]) -> float:
    """Milliseconds below which one core cannot do a step: arithmetic at the measured rate, or memory at its bandwidth."""
    asked = workload(row)
    return 1000 * max(benchmark.operations(asked) / facts["flops"], benchmark.bytes_moved(asked) / facts["bytes"])


def headline(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the size that all networks and implementations are measured at."""
    require((table.series == "headline").any(), "series", sorted(set(table.series)), "with a headline among them")
    return table[table.series == "headline"]


def headline_shown(rows: pd.DataFrame, facts: Mapping[str, float]) -> pd.DataFrame:
    """The table of implementations as it is read."""
    least = [floor(r, facts) if r.network != "snn" else math.nan for r in rows.itertuples()]
    return pd.DataFrame(
        {
            "network": rows.network,
            "implementation": rows.implementation,
            "time (ms)": [_said(x, ".0f") for x in rows.milliseconds_per_step],
            "memory (MB)": [_said(x, ".0f") for x in rows.peak_megabytes],
            "times faster": [_said(x, ".1f") for x in rows.ratio_to_reference],
            "times the floor": [_said(x, ".0f") for x in rows.milliseconds_per_step / np.array(least)],
        }
    )


def draw_headline(rows: pd.DataFrame) -> Drawing:
    """Time of a step on one core, a panel for each network."""
    panels = {
        name: part.set_index("implementation").milliseconds_per_step
        for name, part in rows.groupby("network", sort=False)
    }
    plastic = {name: times for name, times in panels.items() if name != "snn" and OWN in times}
    ahead = [times.drop(OWN).min() / times[OWN] for times in plastic.values() if times.drop(OWN).notna().any()]
    message = (
        f"On one core the fused path is {span(ahead)} times faster than the next best implementation of a plastic network"
        if ahead
        else "What was measured on one core"
    )
    size = rows.iloc[0]
    return Drawing(
        _times_by_panel(panels, 1),
        rows[[*SIZE, "implementation", "milliseconds_per_step"]],
        f"{message}: one training step at batch {size.batch}, {size.inputs}×{size.hidden} synapses and {size.ticks} ticks, a panel for each network, on logarithmic axes.",
        "Panels, one a network, each with a mark per implementation along a logarithmic time axis; "
        + "; ".join(f"{name}: fastest {times.idxmin()}" for name, times in panels.items())
        + ".",
    )


def times_faster(rows: pd.DataFrame, than: str) -> list[float]:
    """How many times faster the fused path is than another implementation, on each plastic network that both ran."""
    time = rows[rows.network != "snn"].pivot(index="network", columns="implementation", values="milliseconds_per_step")
    return (time[than] / time[OWN]).dropna().tolist() if than in time and OWN in time else []


def beside_libraries(rows: pd.DataFrame) -> str:
    """How a plastic step compares with steps without plasticity, others' and our own; empty where that was not measured."""
    fixed = rows[rows.network == "snn"].set_index("implementation").milliseconds_per_step.dropna()
    others, own = fixed.drop(OWN, errors="ignore"), rows[(rows.implementation == OWN) & (rows.network != "snn")]
    if others.empty or own.empty:
        return ""
    took = own.set_index("network").milliseconds_per_step
    name, fastest = others.idxmin(), others.min()
    within = [f"`{network}`" for network, x in took.items() if x <= fastest]
    of = f" for {enumerated(within)}" if 0 < len(within) < len(took) else ""
    said = (
        f"**A plastic step on the fused path is {'faster' if within else 'slower'} than a step without plasticity in other libraries**{of}: "
        f"{span(took.tolist(), 0)} ms against {fastest:.0f} ms in {name}{f', the fastest of {enumerated(others.index)}' if len(others) > 1 else ''}."
    )
    if OWN in fixed:
        said += f" It takes {span((took / fixed[OWN]).tolist())} times as long as our own network without plasticity ({fixed[OWN]:.0f} ms)."
    return said


def what_we_found(table: pd.DataFrame, on_gpu: pd.DataFrame) -> str:
    """The findings, a sentence or two each: how many times faster, than what, at which sizes, on CPU and GPU."""
    rows = headline(table)
    size, said = rows.iloc[0], []
    if gains := times_faster(rows, LOOP):
        others = {
            name: times_faster(rows, name) for name in ("torch.compile", "gradient checkpointing", *benchmark.JAX)
        }
        beside = enumerated(f"{span(found, 0)} times faster than {name}" for name, found in others.items() if found)
        said.append(
            f"**On one CPU core** a training step of a plastic network is {span(gains, 0)} times faster on our compiled kernels (the *fused path*) than the "
            f"straightforward loop over ticks (batch {size.batch}, {size.inputs}×{size.hidden} synapses, {size.ticks} ticks){f'; it is {beside}' if beside else ''}."
        )
    if (table.series == "ticks").any():
        both = table[table.series == "ticks"].pivot(
            index="ticks", columns="implementation", values=["milliseconds_per_step", "peak_megabytes"]
        )
        ratio = (both["milliseconds_per_step"][LOOP] / both["milliseconds_per_step"][OWN]).dropna()
        memory = both["peak_megabytes"].dropna().iloc[-1]
        said.append(
            f"For {table[table.series == 'ticks'].network.iloc[0]} at batch {table[table.series == 'ticks'].batch.iloc[0]}, from {ratio.index[0]:,} to {ratio.index[-1]:,} ticks, it is {span(ratio.tolist(), 0)} times "
            f"faster; at {ratio.index[-1]:,} ticks it takes {memory[OWN]:.0f} MB, the loop {memory[LOOP]:,.0f} MB."
        )
    said += filter(None, [beside_libraries(rows)])
    return "\n".join(f"- {one}" for one in [*said, *gpu_findings(on_gpu)])


def failures(rows: pd.DataFrame) -> str:
    """What could not run, and why; empty where all did."""
    failed = rows[rows.failure != ""]
    return "\n".join(f"- {r.implementation} on `{r.network}` could not run: {r.failure}" for r in failed.itertuples())


def over_floor(rows: pd.DataFrame, facts: Mapping[str, float]) -> str:
    """How far the fused path is from what one core must at least take, in a sentence; empty without a plastic network."""
    times = [r.milliseconds_per_step / floor(r, facts) for r in _own_plastic(rows).itertuples()]
    if not times:
        return ""
    return f"The fused path takes {span(times, 0)} times as long as one core must at least take."


def floors(rows: pd.DataFrame, facts: Mapping[str, float]) -> str:
    """What a step asks of one core at least, of each network."""
    lines = [
        f"- `{r.network}`: {r.milliseconds_per_step:.0f} ms. Its floor is {floor(r, facts):.1f} ms, by {benchmark.operations(workload(r)) / 1e9:.2f} "
        "billion operations on synapses."
        for r in _own_plastic(rows).itertuples()
    ]
    return "\n".join(
        [
            f"One core of this machine reached {facts['flops'] / 1e9:.0f} billion floating-point operations a second out of its registers and "
            f"{facts['bytes'] / 1e9:.0f} GB/s from memory. What a step asks of it at least:\n",
            *lines,
        ]
    )


def _own_plastic(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[(rows.implementation == OWN) & (rows.network != "snn")]


# ---------------------------------------------------------------- growth

SERIES = (
    ("ticks", "ticks", "ticks T"),
    ("batch", "batch", "batch members B"),
    ("synapses", "synapses", "synapses P·Q"),
)


def exponent(table: pd.DataFrame, series: str, column: str, value: str, last: int | None = None) -> float:
    """By which power of ``column`` the fused path's ``value`` grows, over all sizes or the ``last`` ones; 1 is linear."""
    part = table[(table.series == series) & (table.implementation == OWN)].sort_values(column)
    part = part if last is None else part.tail(last)
    return np.polyfit(np.log(part[column].astype(float)), np.log(part[value]), 1)[0]


def draw_growth(table: pd.DataFrame) -> Drawing:
    """How time grows with ticks, batch and synapses, and memory with ticks."""
    table = table.assign(synapses=table.inputs * table.hidden)
    figure, axes = figures.grid(1, 4, height=2.5)
    for axis in axes[1:3]:
        axis.sharey(axes[0])
    for axis, (name, column, label) in zip(axes, SERIES):
        for implementation in (LOOP, OWN):
            colour, marker = LOOKS[implementation]
            look = dict(color=colour, marker=marker, ms=4, lw=1.2, label=implementation)
            part = table[(table.series == name) & (table.implementation == implementation)].sort_values(column)
            axis.loglog(part[column], part.milliseconds_per_step, **look)
            if name == "ticks":
                axes[3].loglog(part[column], part.peak_megabytes, **look)
        axis.set(xlabel=label)
    axes[0].set_ylabel("time of a step (ms)")
    axes[3].set(xlabel="ticks T", ylabel="extra memory (MB)")
    figure.legend(*axes[3].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    time = {name: exponent(table, name, column, "milliseconds_per_step") for name, column, _ in SERIES}
    memory = exponent(table, "ticks", "ticks", "peak_megabytes")
    first, ticks = table[table.series == "ticks"].iloc[0], table[table.series == "batch"].ticks.iloc[0]
    powers = ", ".join(f"{power:.2f}" for power in time.values())
    grows = f"Time grows {_linearly([*time.values()])} with ticks, batch and synapses (exponents {powers})"
    at_last = {name: exponent(table, name, column, "milliseconds_per_step", last=2) for name, column, _ in SERIES}
    if bent := [f"{name} ({power:.2f})" for name, power in at_last.items() if power > max(1.1, time[name] + 0.1)]:
        grows += f", faster between the two largest sizes of {enumerated(bent)}"
    return Drawing(
        figure,
        table[table.series != "headline"][["series", *COLUMNS, "batch", "inputs", "hidden", "ticks"]],
        f"{grows}, and memory with ticks {_beside(memory, time['ticks'])} ({memory:.2f}). "
        f"One step of {first.network} on one core; exponents are those of the fused path. Where it is not varied, the batch is {first.batch} and the "
        f"layer {first.inputs}×{first.hidden}, over {ticks} ticks.",
        f"Four log-log panels, each with a line for the straightforward loop and one for the fused path. {grows} on the fused path.",
    )


def _linearly(powers: Sequence[float]) -> str:
    """How something grows that grows by these exponents, in words."""
    if all(abs(power - 1) <= 0.05 for power in powers):
        return "about linearly"
    if max(powers) <= 1.05:
        return "a little more slowly than linearly" if min(powers) > 0.7 else "more slowly than linearly"
    return "faster than linearly" if min(powers) >= 0.95 else "roughly linearly"


def _beside(power: float, other: float) -> str:
    """How the growth of memory compares with that of time, in words."""
    if abs(power - other) <= 0.1:
        return "about as fast as time"
    return "more slowly than time" if power < other else "faster than time"


def longest(table: pd.DataFrame) -> str:
    """The longest run that was trained, in words."""
    long = table[(table.series == "ticks") & (table.implementation == OWN)].sort_values("ticks").iloc[-1]
    return (
        f"The longest run, {long.ticks:,} ticks at batch {long.batch}, trains in {long.peak_megabytes:.0f} MB, "
        f"{long.milliseconds_per_step / 1000:.2f} s a step."
    )


# ---------------------------------------------------------------- on a GPU

GRAPH = "fused path, CUDA graph"
ON_GPU = {OWN: "Triton kernels", GRAPH: "Triton kernels, CUDA graph", CPU: "fused path, one CPU core"}  # as drawn
QUIET = "nothing"  # what ran beside a measurement


def gpu_record(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The measurements on a GPU and their manifest; empty where there are none.

    A record may be gathered from several runs; then each row tells its ``run``, its ``commit`` and what ran ``beside``.
    """
    if not folder.exists():
        return pd.DataFrame(), {}
    table, made = records.load_measurements(folder)
    if "run" not in table:
        table = table.assign(run="side by side", commit=made["git_commit"], beside=QUIET)
    return table, made


def compared(on_gpu: pd.DataFrame) -> pd.DataFrame:
    """The rows of the run that compares the most implementations."""
    runs = on_gpu.groupby("run", sort=False).implementation.nunique()
    return on_gpu[on_gpu.run == runs.idxmax()]


def gpu_times(rows: pd.DataFrame, value: str = "milliseconds_per_step") -> pd.DataFrame:
    """``value`` of one run by size (rows) and implementation (columns), in the order of measurement."""
    sizes = rows[SIZE].drop_duplicates()
    return rows.pivot(index=SIZE, columns="implementation", values=value).reindex(pd.MultiIndex.from_frame(sizes))


def _ratio(times: pd.DataFrame, of: str, to: str) -> str:
    return span((times[of] / times[to]).dropna().tolist(), 0)


def _where(times: pd.DataFrame, of: str) -> str:
    """The networks of which one implementation was measured, where it is not all of them."""
    there = times[of].dropna()
    return (
        "" if len(there) == len(times) else f" ({enumerated(dict.fromkeys(there.index.get_level_values('network')))})"
    )


def _busy(rows: pd.DataFrame) -> str:
    """What else ran on the processor while the rows on a GPU were measured."""
    beside = [name for name in dict.fromkeys(rows[rows.implementation != CPU].beside) if name != QUIET]
    return f", while {' and '.join(beside)} ran on the same processor" if beside else ""


def _commits(rows: pd.DataFrame) -> str:
    return f"commit {enumerated(f'`{commit[:7]}`' for commit in dict.fromkeys(rows.commit))}"


def gpu_findings(on_gpu: pd.DataFrame) -> list[str]:
    """What the kernels bring on a GPU; nothing where they were not measured."""
    if on_gpu.empty or OWN not in set(on_gpu.implementation):
        return []
    side, first = compared(on_gpu), tuple(on_gpu[SIZE[1:]].iloc[0])
    times = gpu_times(side)
    times = times[[key[1:] == first for key in times.index]]
    slower = [(name, name) for name in ("CUDA graph", "JAX") if name in times] + [(CPU, "one core of that machine")]
    than = ", ".join(
        f"{_ratio(times, name, OWN)} times faster than {called}{_where(times, name)}" for name, called in slower
    )
    found = [
        f"**On a GPU** the same step takes {span(times[OWN].tolist())} ms by the Triton kernels, launched from Python{_busy(side)}: {_ratio(times, 'reference path', OWN)} times faster than "
        f"the reference path there, {than.replace('CUDA graph', 'that path as a CUDA graph')}."
        + (
            f" Recorded as a CUDA graph themselves they take {span(times[GRAPH].tolist(), 2)} ms."
            if GRAPH in times
            else ""
        )
    ]
    wide = gpu_times(side).dropna(subset=[OWN, CPU]).sort_index(level="batch").iloc[-1]
    found.append(
        f"At batch {wide.name[1]:,} {wide.name[0]} takes {wide[OWN]:.0f} ms, and one core of that machine {wide[CPU]:,.0f} ms."
    )
    planned, owed = _planned_and_owed(on_gpu)
    if owed:
        found.append(f"Of {planned} timings that are planned on a GPU {owed} are [not made yet](on-a-gpu).")
    return found


def _plan() -> gpu.Plan:
    return gpu.plan(PUBLISHED_PLASTIC)


def _missing(on_gpu: pd.DataFrame) -> gpu.Plan:
    return gpu.missing(on_gpu, PUBLISHED_PLASTIC)


def owed_shown(on_gpu: pd.DataFrame) -> pd.DataFrame:
    """Sizes (rows) at which a timing planned on a GPU is not made yet or not side by side, by implementation (columns)."""
    nowhere, apart = dict(_missing(on_gpu)), dict(_missing(compared(on_gpu)))
    rows = []
    for one, names in _plan():
        size = f"{one.network}, B={one.batch:,}, {one.inputs}×{one.hidden}, T={one.ticks:,}"
        stands = {name: "yes" for name in names}
        stands |= {name: "in another run" for name in apart.get(one, ())}
        stands |= {name: "**not yet**" for name in nowhere.get(one, ())}
        if set(stands.values()) != {"yes"}:
            rows.append({"size": size} | {name: stands.get(name, "–") for name in gpu.IMPLEMENTATIONS})
    return pd.DataFrame(rows).rename(columns=ON_GPU)


def gpu_owed(on_gpu: pd.DataFrame) -> figures.Item | None:
    """A folded table of the timings that are planned on a GPU and not made yet, or not side by side; None where all are."""
    shown = owed_shown(on_gpu)
    if shown.empty:
        return None
    planned, owed = _planned_and_owed(on_gpu)
    return figures.folded(
        f"{owed} of {planned} planned timings are not made yet",
        "Only the sizes at which something is left. “yes” is measured side by side with the others; a dash is not planned.\n\n"
        + shown.to_markdown(index=False),
    )


def _planned_and_owed(on_gpu: pd.DataFrame) -> tuple[int, int]:
    planned, owed = (sum(len(names) for _, names in what) for what in (_plan(), _missing(on_gpu)))
    return planned, owed


def sized(key: tuple) -> str:
    """A size in words, of (network, batch, inputs, hidden, ticks)."""
    network, batch, inputs, hidden, ticks = key
    return f"{network}, B={batch:,}\n{inputs}×{hidden}, T={ticks:,}"


def draw_gpu(on_gpu: pd.DataFrame) -> Drawing:
    """Time of a step on a GPU, a panel for each size, of the run that compares the most implementations."""
    side = compared(on_gpu)
    time = gpu_times(side)
    drawn = time[time.notna().sum(axis=1) >= min(4, time.notna().sum(axis=1).max())]
    kept = side[side[SIZE].apply(tuple, axis=1).isin(drawn.index)].dropna(subset=["milliseconds_per_step"])
    own, fastest = [name for name in (OWN, GRAPH) if name in drawn], drawn.idxmin(axis=1)
    fastest = fastest.replace(ON_GPU)
    message = f"No implementation is the fastest at every size: {', '.join(dict.fromkeys(fastest))}"
    jax = [name for name in drawn if name.startswith("JAX")]
    together = drawn.dropna(subset=jax, how="all") if jax else drawn
    others = together.drop(columns=own)
    if OWN in own and (drawn[OWN] <= drawn.drop(columns=own).min(axis=1)).all():
        ahead, best = others.min(axis=1) / together[OWN], others.idxmin(axis=1)
        every = (
            "at every size drawn"
            if len(together) == len(drawn)
            else f"at the {len(together)} of {len(drawn)} sizes where JAX ran beside them"
        )
        message = f"The Triton kernels are {span(ahead.tolist())} times faster than {enumerated(dict.fromkeys(best))}, the best of the others, {every}"
        if GRAPH in own:
            message += f", and recorded as a CUDA graph another {span((drawn[OWN] / drawn[GRAPH]).dropna().tolist())} times faster"
    return Drawing(
        _times_by_panel({sized(key): row for key, row in drawn.iterrows()}, math.ceil(len(drawn) / 4), ON_GPU),
        kept[[*SIZE, "implementation", "milliseconds_per_step", "peak_megabytes"]],
        f"{message}: one training step on a GPU{_busy(side)}, and the fused path on one core of that machine, with nothing beside, on logarithmic axes.",
        "Panels, one a size, each with a mark per implementation along a logarithmic time axis; "
        + "; ".join(f"{sized(key)}: fastest {name}".replace("\n", ", ") for key, name in fastest.items())
        + ".",
    )


def gpu_shown(on_gpu: pd.DataFrame) -> pd.DataFrame:
    """Time and memory on a GPU as they are read, a line for each size, implementation and run."""
    order = {name: n for n, name in enumerate(gpu.IMPLEMENTATIONS)}
    sizes = {size: n for n, size in enumerate(dict.fromkeys(on_gpu[SIZE].apply(tuple, axis=1)))}
    at = [
        (sizes[tuple(row)], order.get(name, len(order)))
        for *row, name in on_gpu[[*SIZE, "implementation"]].itertuples(index=False)
    ]
    on_gpu = on_gpu.iloc[sorted(range(len(at)), key=at.__getitem__)]
    return pd.DataFrame(
        {
            "network": on_gpu.network,
            "B": on_gpu.batch,
            "synapses": [f"{r.inputs}×{r.hidden}" for r in on_gpu.itertuples()],
            "T": on_gpu.ticks,
            "implementation": on_gpu.implementation.replace(ON_GPU),
            "time (ms)": [
                r.failure or _said(r.milliseconds_per_step, ".2f" if r.milliseconds_per_step < 1 else ".1f")
                for r in on_gpu.itertuples()
            ],
            "memory (MB)": [_said(x, ",.0f") for x in on_gpu.peak_megabytes],
            "beside": on_gpu.beside,
            "commit": [f"`{commit[:7]}`" for commit in on_gpu.commit],
        }
    )


def gpu_caption(on_gpu: pd.DataFrame, made: Mapping[str, Any]) -> str:
    """Where and with what the GPU's times were measured."""
    facts, versions = made["facts"], made["versions"]
    with_them = "".join(
        f", {name} {facts[key]}" for key, name in (("triton", "Triton"), ("jax", "JAX")) if key in facts
    )
    gathered = f" Gathered from {facts['gathered']}." if "gathered" in facts else ""
    return (
        f"A training step on a GPU ({facts['gpu']}) and, for comparison, on one core beside it ({made['cpu']}), float32: medians over rounds after one warm-up "
        f"round, and the most memory of the GPU as PyTorch counts it (in the first line of a run with what libraries take once). PyTorch {versions['torch']}, CUDA {facts['cuda']}{with_them} and Python "
        f"{versions['python']}, other versions than the book's own.{gathered}{_tests(facts)}"
    )


def _tests(facts: Mapping[str, Any]) -> str:
    return f" The tests of the kernels on that machine: {facts['tests']}." if "tests" in facts else ""


def gpu_says(on_gpu: pd.DataFrame) -> str:
    """Why a loop is slow on a GPU, what is done about it, and what was not measured."""
    side = compared(on_gpu)
    time, memory = gpu_times(side), gpu_times(side, "peak_megabytes")
    first = tuple(side[SIZE].iloc[0])
    grown = time.xs(first[0]).xs(first[2:], level=SIZE[2:])["reference path"].dropna().sort_index()
    said = (
        f"The reference path waits for launches: a batch of {grown.index[-1]:,} takes {grown.iloc[-1] / grown.iloc[0]:.1f} times as long as one of {grown.index[0]}. "
        f"`torch.compile` of its tick takes {span((time['torch.compile'] / time['reference path']).dropna().tolist(), 2)} times as long, and "
        f"{span((memory['torch.compile'] / memory['reference path']).dropna().tolist(), 2)} times its memory. Recorded as a CUDA graph the reference path is "
        f"{span((time['reference path'] / time['CUDA graph']).dropna().tolist())} times faster, with the sizes and addresses that it was recorded with."
    )
    if OWN not in time:
        return said + " *The Triton kernels are not measured yet.*"
    if GRAPH in time:
        said += (
            f" The Triton kernels keep E on the chip. Launched from Python they mostly wait too: recorded they are another "
            f"{span((time[OWN] / time[GRAPH]).dropna().tolist())} times faster, and {_ratio(time, 'CUDA graph', GRAPH)} times faster than the recorded reference path."
        )
    return said + gpu_memory(on_gpu)


def gpu_memory(on_gpu: pd.DataFrame) -> str:
    """How much of the GPU's memory a step takes, and how it grows with time; empty where that was not measured."""
    first = tuple(on_gpu[SIZE].iloc[0])
    here = on_gpu[(on_gpu[["network", "batch", "inputs", "hidden"]] == list(first[:4])).all(axis=1)]
    ours = here[here.implementation == OWN]
    if ours.empty:
        return ""
    longest = ours.groupby("run").ticks.nunique().idxmax()
    ours = ours[ours.run == longest]
    commit, ours = _commits(ours), ours.set_index("ticks").peak_megabytes.sort_index()
    loop = here[here.implementation == "reference path"].groupby("ticks").peak_megabytes.first().reindex(ours.index)
    if len(ours) < 2 or loop.isna().any():
        return ""
    return (
        f"\n\nMemory, of {first[0]} at batch {first[1]}, by the kernels of {commit}: {ours.iloc[0]:.0f} MB at {ours.index[0]:,} ticks and {ours.iloc[-1]:.0f} MB at {ours.index[-1]:,}. "
        f"The reference path, which keeps every tick, takes {loop.iloc[0]:,.0f} MB and {loop.iloc[-1]:,.0f} MB."
    )


# ---------------------------------------------------------------- learning to walk


def walking_shown(speed: pd.DataFrame) -> pd.DataFrame:
    """Environment steps a second of each network, and as a share of the simulator alone."""
    order = [walking_speed.RAW, *(name for name in dict.fromkeys(speed.network) if name != walking_speed.RAW)]
    wide = speed.pivot(index="network", columns="environment", values="steps_per_second").reindex(order)
    share = speed.pivot(index="network", columns="environment", values="share_of_raw").reindex(order)
    columns = {e: [f"{wide.loc[n, e]:.0f} ({share.loc[n, e]:.0%})" for n in order] for e in wide}
    return pd.DataFrame({"": order} | columns)


def least_share(speed: pd.DataFrame, networks: Sequence[str]) -> str:
    """How the slowest plastic policy compares with the plain spiking one; empty where either is missing."""
    plain = speed[speed.network == "snn"].set_index("environment").steps_per_second
    plastic = speed[speed.network.isin([name for name in networks if name != "snn"])]
    if plain.empty or plastic.empty:
        return ""
    ratio = plastic.assign(ratio=[r.steps_per_second / plain[r.environment] for r in plastic.itertuples()])
    slowest = ratio.loc[ratio.groupby("environment").ratio.idxmin()]
    return (
        "The slowest plastic policy trains at "
        + " and ".join(
            f"{r.ratio:.0%} of the plain spiking one's speed on {r.environment} (`{r.network}`)"
            for r in slowest.itertuples()
        )
        + "."
    )


# ---------------------------------------------------------------- what the book costs

Again = Mapping[str, tuple[pd.DataFrame, Mapping[str, Any]]]


def today(again: Again, *names: str) -> statistics.Interval:
    """Core hours of experiments by what was made again of them; NaN where nothing of one was."""
    planned = {name: n for _, manifest in again.values() for name, n in manifest["facts"]["runs"].items()}
    remade = pd.concat([table for table, _ in again.values()], ignore_index=True)
    known = names and all(name in planned for name in names)
    return retraining.hours(remade, planned, names) if known else statistics.Interval(*[math.nan] * 3)


def tested_policies(
    name: str, table: pd.DataFrame, robots: Mapping[str, str], hours: Callable[[pd.DataFrame], tuple[float, Any]]
) -> list[dict[str, Any]]:
    """What testing trained policies took, a line for each robot; ``hours`` tells the core hours, and whether some are not known."""
    rows = []
    for robot, environment in robots.items():
        part = table[table.environment == environment]
        took, unknown = hours(part)
        n = len(part.drop_duplicates(["config_hash", "seed"]))
        took = math.nan if unknown else took
        rows.append(
            {
                "experiment": f"{name}, {robot}",
                "profile": "paper",
                "runs": n,
                "runs_planned": n,
                "core_hours": took,
            }
        )
    return rows


def cost_rows(published: Mapping[str, Any], tested: Sequence[Mapping[str, Any]], again: Again) -> pd.DataFrame:
    """A row for each published experiment and measurement of trained policies: runs and core hours, then and today."""
    rows = pd.DataFrame(
        [
            {
                "experiment": name,
                "profile": one.runs.profile.iloc[0],
                "runs": len(one.runs),
                "runs_planned": one.manifest["expected_runs"],
                "core_hours": core_hours(one.runs),
            }
            for name, one in published.items()
        ]
        + [*tested]
    )
    remade = pd.concat([table for table, _ in again.values()], ignore_index=True)
    rows["made_again"] = [int((remade.experiment == name).sum()) for name in rows.experiment]
    rows["core_hours_today"] = [today(again, name).mean for name in rows.experiment]
    return rows


REST = "searches and closer looks"  # of the experiments that belong to no other group


def cost_shown(rows: pd.DataFrame, groups: Mapping[str, tuple[str, ...]], again: Again) -> pd.DataFrame:
    """The table of costs as it is read: each experiment of ``groups`` (title → beginnings of names), then the others, and sums."""
    planned = {name for _, manifest in again.values() for name in manifest["facts"]["runs"]}

    def line(called: str, part: pd.DataFrame) -> dict:
        names, recorded = [name for name in part.experiment if name in planned], part.core_hours.sum()
        known = f"{recorded:.2f}" if part.core_hours.notna().all() else f"more than {recorded:.2f}" if recorded else "–"
        return {
            "experiment": called,
            "runs": f"{part.runs.sum()} of {part.runs_planned.sum()}",
            "core hours as recorded": known,
            "made again": part.made_again.sum() or "–",
            "core hours by today's code": f"{today(again, *names):.2f}" if len(names) == len(part) else "–",
        }

    paper, shown = rows[rows.profile == "paper"], []
    grouped = {title: paper[paper.experiment.str.startswith(names)] for title, names in groups.items()}
    others = paper[~paper.experiment.isin([name for part in grouped.values() for name in part.experiment])]
    for title, part in (grouped | ({REST: others} if len(others) else {})).items():
        shown += [line(name, part[part.experiment == name]) for name in part.experiment] + [line(f"**{title}**", part)]
    shown.append(line("**all**", paper))
    shown += [line(f"*profile `{profile}`*", part) for profile, part in rows.groupby("profile") if profile != "paper"]
    return pd.DataFrame(shown)


def cost_in_all(rows: pd.DataFrame) -> str:
    """What everything published took, in a sentence."""
    paper = rows[rows.profile == "paper"]
    least = "" if paper.core_hours.notna().all() else "more than "
    return f"The {paper.runs.sum():,} published runs and tests took {least}{paper.core_hours.sum():.2f} core hours as recorded."


def cost_says(again: Again, group: str, whose: str, without: Callable[[str], bool], less: str) -> str:
    """What ``group`` takes by today's code, and what it does without the experiments of which ``without`` is true."""
    table, manifest = again[group]
    names = list(manifest["facts"]["runs"])
    hours, others = today(again, *names), today(again, *(name for name in names if not without(name)))
    return (
        f"{whose} take {hours:.1f} core hours by today's code, {hours.mean / 2:.1f} hours on two cores ({others.mean / 2:.1f} without {less}): estimated from "
        f"{len(table)} of {sum(manifest['facts']['runs'].values())} runs, made again {manifest['facts']['workers']} at a time on {manifest['cpu']}. "
        f"A process held at most {table.peak_megabytes.max():.0f} MB."
    )


def moved(table: pd.DataFrame, metric: str, digits: int) -> tuple[str, str]:
    """How far the metric of what was made again is from what was published: in the median and at the most, and in the mean."""
    change = table[metric] - table[f"published_{metric}"]
    mean, differ = statistics.mean_interval(change.tolist()), change[~table.same].abs()
    far = f"{metric} differs by a median of {differ.median():.{digits}f} and at most {differ.max():.{digits}f}"
    return far if len(differ) else f"{metric} is the same", f"{mean:+.{digits + 1}f}"


def retrained(temporal: pd.DataFrame, walking: pd.DataFrame, tested: Sequence[str]) -> str:
    """Whether runs that are made again end as they did."""
    tests = walking.experiment.str.startswith(tuple(tested))
    (accuracy, accuracy_mean), (returned, returned_mean) = (
        moved(temporal, "accuracy", 3),
        moved(walking[~tests], "return", 0),
    )
    return (
        f"Do retrained runs match? {temporal.same.sum()} of {len(temporal)} temporal runs are bit-identical in every metric and curve; among the others {accuracy}, and over "
        f"all of them accuracy changed by {accuracy_mean} in the mean (Student's t interval). Faster code and another processor round otherwise, and one spike more or less "
        f"sends training another way. {walking[~tests].same.sum()} of {(~tests).sum()} walking runs are bit-identical; among the others the {returned}, over all of them by "
        f"{returned_mean} in the mean. {walking[tests].same.sum()} of {tests.sum()} trained policies that were tested again did the same to the last bit."
    )
