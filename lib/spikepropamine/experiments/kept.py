"""What a policy keeps of its walk under novel conditions, by several measures, from published measurements.

The table that goes in is that of :func:`spikepropamine.experiments.novel_conditions.fare`: one row a policy (a network and
a seed), condition and strength, with ``return`` and ``length``.
"""

from collections.abc import Mapping

import pandas as pd

from ..checks import require, require_choice
from ..records.statistics import Interval, interquartile_difference, interquartile_mean
from ..walking.conditions import CONDITIONS, TRAINING

BONUS = {"Ant-v5": 1.0, "HalfCheetah-v5": 0.0}  # of each control step that the robot has not fallen, part of the return
KEYS = ["environment", "network", "seed"]
MODERATE = {name: kind.moderate for name, kind in CONDITIONS.items()}
STRONGEST = {name: kind.strengths[-1] for name, kind in CONDITIONS.items()}


def with_progress(walks: pd.DataFrame) -> pd.DataFrame:
    """``walks`` with a column ``progress``: the return less the bonus for staying up, BONUS × ``length``.

    The step in which the robot falls earns no bonus but counts in ``length``: progress is too low by at most 1 an episode.

    Raises:
        ValueError: an environment whose bonus is not known.
    """
    for environment in walks["environment"].unique():
        require_choice("environment", environment, BONUS)
    bonus = walks["environment"].map(BONUS) * walks["length"]
    return walks.assign(progress=walks["return"] - bonus)


def shares(
    walks: pd.DataFrame, strengths: Mapping[str, float] = MODERATE, of: str = "progress", capped: bool = False
) -> pd.DataFrame:
    """The share of what a policy does under the training condition that it keeps under each novel one.

    Args:
        walks: the measurements.
        strengths: which strength of which conditions.
        of: "return" or "progress".
        capped: whether a share above 1 counts as 1, so that what is gained under one condition makes up for no loss.

    Returns:
        Rows of environment, network, seed, condition, share. A policy that made no way under the training condition keeps
        nothing, nor does one all of whose episodes diverged.
    """
    require_choice("of", of, ("return", "progress"))
    walks = with_progress(walks)
    trained = walks[walks["condition"] == TRAINING].set_index(KEYS)[of].rename("trained")
    at = walks[walks["strength"].eq(walks["condition"].map(strengths)) & walks["condition"].isin(strengths)]
    require(len(at) > 0, "strengths", dict(strengths), "conditions and strengths that were measured")
    at = at.merge(trained, left_on=KEYS, right_index=True, validate="many_to_one")
    share = (at[of] / at["trained"]).where(at["trained"] > 0, 0.0).fillna(0.0)
    return at.assign(share=share.clip(upper=1.0) if capped else share)[[*KEYS, "condition", "share"]]


def by_policy(table: pd.DataFrame) -> pd.DataFrame:
    """The mean share over conditions of each policy: what is resampled are policies, for their conditions are no sample."""
    return table.groupby(KEYS, sort=False, as_index=False)["share"].mean()


def kept(table: pd.DataFrame, environment: str, network: str) -> Interval:
    """The interquartile mean over policies of their mean share, with an interval by resampling policies."""
    return interquartile_mean(_of(table, environment, network))


def kept_more(table: pd.DataFrame, environment: str, network: str, than: str) -> Interval:
    """How much more ``network`` keeps than another, with an interval by resampling the policies of both."""
    return interquartile_difference([_of(table, environment, network)], [_of(table, environment, than)])


def _of(table: pd.DataFrame, environment: str, network: str) -> list[float]:
    policies = by_policy(table[(table["environment"] == environment) & (table["network"] == network)])
    require(len(policies) > 0, "network", network, f"a network measured on {environment}")
    return policies["share"].tolist()


MEASURES = {
    "return, interquartile mean (registered)": dict(of="return"),
    "return, each share at most 1, mean": dict(of="return", capped=True),
    "progress, mean": dict(of="progress"),
    "progress, each share at most 1, mean": dict(of="progress", capped=True),
    "progress at the strongest level, mean": dict(of="progress", strengths=STRONGEST),
}


def measures(walks: pd.DataFrame) -> dict[str, dict]:
    """Those of MEASURES at whose strengths something was measured: a small profile has the moderate ones alone."""
    there = set(zip(walks["condition"], walks["strength"]))
    return {
        name: options for name, options in MEASURES.items() if there & set(options.get("strengths", MODERATE).items())
    }


def robustness(walks: pd.DataFrame) -> pd.DataFrame:
    """What each network keeps by each of :func:`measures`: rows of environment, network, measure, share."""
    rows = []
    for name, options in measures(walks).items():
        table = shares(walks, **options)
        for (environment, network), part in table.groupby(["environment", "network"], sort=False):
            if "registered" in name:
                share = interquartile_mean(*[x["share"] for _, x in part.groupby("condition")]).mean
            else:
                share = part["share"].mean()
            rows.append({"environment": environment, "network": network, "measure": name, "share": float(share)})
    return pd.DataFrame(rows)
