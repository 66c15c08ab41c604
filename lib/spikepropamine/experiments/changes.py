"""A question of one's own: an experiment with some fields of its task, its network or its training changed.

Changes are written ``task.delay_ms=2000, network.n_hidden=96, training.learning_rate=0.003``. A number may carry its unit,
``task.delay_ms=2 s``. ``network.tau_membrane`` is short for ``network.options.tau_membrane``.
"""

import dataclasses
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..checks import require, require_choice
from ..fields import plain, unsaid
from .config import Config, Experiment

PARTS = ("task", "network", "training")
# by what a field's name ends in or is: the units a number may carry, as multiples of the field's own
_MILLISECONDS, _HERTZ = {"ms": 1.0, "s": 1000.0}, {"Hz": 1.0, "kHz": 1000.0}
_UNITS = {
    r".*_ms|dt|tau_.*": _MILLISECONDS,
    r".*_s": {"s": 1.0, "ms": 0.001},
    r".*_hz|noise|cue_rate|rate_target": _HERTZ,
}
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([a-zA-Z]*)")

Changes = dict[str, Any]  # by the field's path, such as "task.delay_ms", the new value as it was written


def parse(change: str | Mapping[str, Any] | None) -> Changes:
    """What is to change: from ``path=value`` pairs separated by commas, or from a mapping, nested or not.

    Raises:
        ValueError: not of this form, a path that starts with none of PARTS, or one that comes twice.
    """
    if not change:
        return {}
    form = "pairs such as 'task.delay_ms=2000, network.n_hidden=96', or a mapping of the same"
    require(isinstance(change, (str, Mapping)), "change", change, form)
    if isinstance(change, Mapping):
        pairs = list(_flat(change))
    else:
        parts = [part.partition("=") for part in change.split(",")]
        require(all(sign and value.strip() for _, sign, value in parts), "change", change, form)
        pairs = [(path.strip(), value.strip()) for path, _, value in parts]
    found: Changes = {}
    for path, value in pairs:
        part, _, field = path.partition(".")
        require(
            part in PARTS and field != "", "change", path, f"a field of {', '.join(PARTS)}, such as 'task.delay_ms'"
        )
        require(path not in found, "change", path, "named once")
        found[path] = value
    return found


def _flat(mapping: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def changed(experiment: Experiment, changes: Changes) -> Experiment:
    """``experiment`` with ``changes`` in each of its configurations.

    Raises:
        ValueError: naming a field that is not there, or its value and what is allowed.
    """
    if not changes:
        return experiment
    configs = tuple(dict.fromkeys(change_config(config, changes) for config in experiment.configs))
    return dataclasses.replace(experiment, configs=configs)


def change_config(config: Config, changes: Changes) -> Config:
    """``config`` with ``changes``; errors as in :func:`changed`."""
    for part in PARTS:
        of_part = {path: value for path, value in changes.items() if path.split(".")[0] == part}
        if of_part:
            config = dataclasses.replace(config, **{part: _changed_part(getattr(config, part), part, of_part)})
    options, dt = getattr(config.network, "options", None), getattr(config.task, "dt", None)
    require(
        dt is None or dt == options.dt, "task.dt", dt, f"network.dt = {options.dt:g} ms, one tick for both: change both"
    )
    return config


def _changed_part(part: Any, name: str, changes: Changes) -> Any:
    own, deeper = {}, {}
    for path, value in changes.items():
        fields = [field.name for field in dataclasses.fields(part)]
        inner = [f.name for f in dataclasses.fields(part.options)] if "options" in fields else []
        field = path.removeprefix(f"{name}.").removeprefix("options.")
        fixed = (
            "name",
            "options",
            "rule",
            "held",
            "environment",
        )  # of what a page is about; `networks` chooses among names
        allowed = [f for f in (*fields, *inner) if f not in fixed]
        require_choice(f"change of {name}", field, allowed)
        where, holder = (own, part) if field in fields else (deeper, part.options)
        where[field] = _value(f"{name}.{field}", field, value, getattr(holder, field))
    try:
        if deeper:
            own["options"] = dataclasses.replace(part.options, **deeper)
        return dataclasses.replace(part, **own)
    except ValueError as error:
        raise ValueError(f"change of {name}: {error}") from error


def _value(path: str, field: str, written: Any, now: Any) -> Any:
    """The new value in the field's own unit and of its own type, which ``now`` shows."""
    units = next((of for names, of in _UNITS.items() if re.fullmatch(names, field)), {})
    in_units = f", in {next(iter(units))} or with a unit: {', '.join(units)}" if units else ", without a unit"
    kind = "a whole number" if isinstance(now, int) and not isinstance(now, bool) else "a number"
    if isinstance(now, bool):
        require(str(written).lower() in ("true", "false"), path, written, "true or false")
        return str(written).lower() == "true"
    match = _NUMBER.fullmatch(str(written).strip())
    if match is None or isinstance(written, bool):
        # words, such as a noise level, are left to the field's own check
        require(isinstance(now, str) and isinstance(written, str), path, written, kind + in_units)
        return written
    number, unit = float(match[1]), match[2]
    require(not unit or unit in units, path, written, kind + in_units)
    number *= units.get(unit, 1.0)
    require(math.isfinite(number), path, written, kind + in_units)
    if kind == "a number":
        return number
    require(number.is_integer(), path, written, kind + in_units)
    return int(number)


# ---------------------------------------------------------------- what is published that is nearest


class Nearest(NamedTuple):
    """The published configuration that differs from another in the fewest fields."""

    experiment: str
    config_hash: str
    differs: dict[str, tuple[Any, Any]]  # field: (here, published)


def nearest(config: Config, published: Path) -> Nearest | None:
    """What is published in folder ``published`` of the same network on the same kind of task, nearest to ``config``.

    Nearest is what differs in the fewest fields, and among those by the smallest factors. None where nothing is.
    """
    unwritten, found = _leaves(unsaid(config)), []
    here = unwritten | _leaves(plain(config))
    for manifest in sorted(published.glob("*/manifest.json")):
        for key, content in json.loads(manifest.read_text(encoding="utf-8")).get("configurations", {}).items():
            there = unwritten | _leaves(content)
            same_kind = {f for f in here if f.startswith("task.")} == {f for f in there if f.startswith("task.")}
            if same_kind and here["network.name"] == there["network.name"] and set(here) == set(there):
                differs = {field: (here[field], there[field]) for field in here if here[field] != there[field]}
                far = sum(_factor(*values) for values in differs.values())
                found.append((len(differs), far, manifest.parent.name, key, differs))
    if not found:
        return None
    _, _, experiment, key, differs = min(found, key=lambda one: one[:4])
    return Nearest(experiment, key, differs)


def _leaves(content: Mapping[str, Any]) -> dict[str, Any]:
    return dict(_flat(content))


def _factor(here: Any, there: Any) -> float:
    """How far two values are apart: |log| of their ratio, where they have one."""
    numbers = all(isinstance(value, (int, float)) and value > 0 for value in (here, there))
    return abs(math.log(here / there)) if numbers else 10.0
