"""Each claim of the paper against the records: a verdict and the number it rests on."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from .checks import require, require_choice
from .networks import NETWORKS
from .statistics import Comparison, Interval, adjusted, compare, mean_interval

VERDICTS = ("reproduced", "partly reproduced", "not reproduced", "not yet run")
PLASTIC = tuple(name for name in NETWORKS if name != "snn")


@dataclass(frozen=True)
class Definitions:
    """The thresholds of claims.yml."""

    solved_at_least: float
    failed_at_most: float
    confidence: float
    changed_at_least: float
    significant_at: float
    seeds_at_least: int


class Judgement(NamedTuple):
    """A claim's verdict, with the number that decides it."""

    claim: str
    statement: str
    criterion: str
    quantity: str  # what measured is
    measured: Interval
    verdict: str
    reason: str


def load_claims(path: Path) -> tuple[Definitions, list[dict[str, Any]]]:
    """The definitions and claims of ``path``; ValueError names the field that is wrong."""
    content = yaml.safe_load(path.read_text())
    require(isinstance(content, dict), str(path), type(content).__name__, "a mapping")
    fields = Definitions.__dataclass_fields__
    definitions = content.get("definitions")
    require(isinstance(definitions, dict) and set(definitions) == set(fields),
            f"{path}: definitions", definitions, "exactly " + ", ".join(fields))
    for claim in content.get("claims", []):
        for name in ("id", "statement", "judge", "criterion"):
            require(isinstance(claim.get(name), str), f"{path}: {name}", claim.get(name), "a text")
        require_choice(f"{path}: judge of {claim['id']}", claim["judge"], JUDGES)
    return Definitions(**definitions), content["claims"]


def judge(path: Path, runs: pd.DataFrame) -> list[Judgement]:
    """Judge every claim of ``path`` by the cue-association ``runs`` (one row a run)."""
    definitions, claims = load_claims(path)
    judgements = []
    for claim in claims:
        at_noise = runs[runs["task.noise"] == claim["noise"]] if "noise" in claim and len(runs) else runs[:0]
        cells = {name: at_noise[at_noise["network.name"] == name] for name in NETWORKS} if len(at_noise) else {}
        enough = cells and all(len(cell) >= definitions.seeds_at_least for cell in cells.values())
        decide = JUDGES[claim["judge"]] if enough else _not_yet_run
        quantity, measured, verdict, reason = decide(cells, definitions)
        judgements.append(Judgement(claim["id"], claim["statement"], claim["criterion"], quantity, measured, verdict, reason))
    return judgements


def table(judgements: list[Judgement]) -> pd.DataFrame:
    """One row a claim: claim, criterion, measured, interval_low, interval_high, verdict."""
    return pd.DataFrame(
        {"claim": j.claim, "criterion": j.criterion, "measured": j.measured.mean,
         "interval_low": j.measured.low, "interval_high": j.measured.high, "verdict": j.verdict}
        for j in judgements
    )


def accuracy(cell: pd.DataFrame, definitions: Definitions) -> Interval:
    """The mean held-out accuracy of one network at one noise level, with its interval."""
    return mean_interval(cell["accuracy"], definitions.confidence)


def comparisons(cells: dict[str, pd.DataFrame], definitions: Definitions) -> dict[str, tuple[Comparison, float]]:
    """Each plastic network against snn, with the p-value adjusted over the four comparisons."""
    against = {name: compare(cells[name]["accuracy"], cells["snn"]["accuracy"], definitions.confidence) for name in PLASTIC}
    p_values = adjusted([c.p_value for c in against.values()])
    return {name: (c, p) for (name, c), p in zip(against.items(), p_values)}


# ---------------------------------------------------------------- one function per way of judging

Decision = tuple[str, Interval, str, str]


def _learned_together(cells: dict[str, pd.DataFrame], d: Definitions) -> Decision:
    met = [name for name in PLASTIC if _solves(cells[name], d) and _least_change(cells[name]) >= d.changed_at_least]
    kinds = {NETWORKS[name][1] for name in met}
    return (*_weakest(cells, d), _verdict(len(met) == len(PLASTIC), len(kinds) == 2), f"met by {_names(met)}")


def _every_rule(cells: dict[str, pd.DataFrame], d: Definitions) -> Decision:
    met = [name for name in PLASTIC if _solves(cells[name], d)]
    return (*_weakest(cells, d), _verdict(len(met) == len(PLASTIC), len(met) >= 2), f"solved by {_names(met)}")


def _solves_where_snn_fails(cells: dict[str, pd.DataFrame], d: Definitions) -> Decision:
    against = comparisons(cells, d)
    met = [name for name in PLASTIC if _solves(cells[name], d) and against[name][1] < d.significant_at]
    snn = accuracy(cells["snn"], d)
    failed = snn.high <= d.failed_at_most
    smallest = min((c.difference for c, _ in against.values()), key=lambda i: i.mean)
    reason = f"solved by {_names(met)}; snn {'fails' if failed else 'does not fail'} at {snn.mean:.3f}"
    verdict = _verdict(failed and len(met) == len(PLASTIC), failed and len(met) >= 1)
    return "smallest gain in accuracy over snn", smallest, verdict, reason


def _not_yet_run(cells: dict[str, pd.DataFrame], d: Definitions) -> Decision:
    return "", Interval(math.nan, math.nan, math.nan), "not yet run", "no runs, or too few seeds"


JUDGES: dict[str, Callable[[dict[str, pd.DataFrame], Definitions], Decision]] = {
    "learned_together": _learned_together,
    "every_rule": _every_rule,
    "solves_where_snn_fails": _solves_where_snn_fails,
    "not_yet_run": _not_yet_run,
}


def _solves(cell: pd.DataFrame, d: Definitions) -> bool:
    return accuracy(cell, d).low >= d.solved_at_least


def _least_change(cell: pd.DataFrame) -> float:
    """The smallest relative change, over seeds, of W, α, η and V where there is one."""
    learned = ("weight", "alpha", "rule.raw_eta", "modulator_weight")
    columns = [f"change_synapses.{name}" for name in learned if f"change_synapses.{name}" in cell]
    return float(cell[columns].dropna(axis=1, how="all").min().min())


def _weakest(cells: dict[str, pd.DataFrame], d: Definitions) -> tuple[str, Interval]:
    name = min(PLASTIC, key=lambda name: accuracy(cells[name], d).mean)
    return f"accuracy of the weakest plastic network ({name})", accuracy(cells[name], d)


def _verdict(all_of_it: bool, part_of_it: bool) -> str:
    return VERDICTS[0] if all_of_it else VERDICTS[1] if part_of_it else VERDICTS[2]


def _names(names: list[str]) -> str:
    return ", ".join(names) or "none of the plastic networks"
