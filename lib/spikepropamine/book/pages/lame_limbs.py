"""The walk in which a limb is lame, and whether anything about it must be remembered."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ...experiments.adaptation_task import TOLD, reminded
from ...records.statistics import Interval, interquartile_difference, interquartile_mean
from .. import figures
from ..phrases import between, enumerated
from .adaptation import mean_score
from .adaptation_variants import RELIES_M, relying, seeds, steps, variant_in_words
from .locomotion import plastic_of

LAME = ("-limb", "-motor", "-reversed")


def told_scores(told: pd.DataFrame) -> dict[str, pd.Series]:
    """By variant the scores, by seed, of the mlp that is told throughout what is hidden, of the runs of :func:`reminded`."""
    found = {}
    for variant, config in zip(TOLD, reminded().configs, strict=True):
        of_it = told[told.config_hash == config.hash] if len(told) else told
        if len(of_it):
            found[variant] = of_it.set_index("seed").score
    return found


def worth_knowing(told: pd.Series, runs: pd.DataFrame) -> Interval:
    """Metres that an mlp runs farther when it is told throughout; interval over the seeds of both."""
    return interquartile_difference([told], [runs[runs.network == "mlp"].score])


def what_could_be_gained(told: Mapping[str, pd.Series], runs: pd.DataFrame, names: Sequence[str]) -> str:
    """How far one runs who is told the direction throughout, in a sentence; empty where that was not run."""
    if "" not in told:
        return ""
    plastic = [mean_score(runs, name) for name in plastic_of(names) if (runs.network == name).any()]
    beside = f"; the plastic networks, which have to remember, run {between(plastic, '.2f')} m" if plastic else ""
    return f"An mlp that is told the direction throughout runs {interquartile_mean(told['']):.2f} m{beside}."


def must_it_be_remembered(runs: Mapping[str, pd.DataFrame], told: Mapping[str, pd.Series], names: Sequence[str]) -> str:
    """The answer in a paragraph, then a line for each variant; empty where none was run."""
    if not runs:
        return ""
    rely = [variant for variant, of_it in runs.items() if relying(of_it, names)]
    pays = [v for v, scores in told.items() if v in runs and "mlp" in names and worth_knowing(scores, runs[v]).low > 0]
    lines = [_answer(len(rely), len(pays), len(runs))]
    for variant, of_it in runs.items():
        lines.append(f"- **{variant_in_words(variant).capitalize()}** ({seeds(of_it)}, {steps(of_it)}): {_line(of_it, told.get(variant), names)}")  # fmt: skip
    return figures.minus("\n".join([lines[0], "", *lines[1:]]))


def _answer(rely: int, pays: int, of: int) -> str:
    if rely:
        return f"In {rely} of {of} forms of the task at least one policy relies on what it remembered."
    return (
        "No. In none of these forms of the task does a policy rely on what the first trial showed: with the state of an episode in which another "
        f"limb is lame none loses more than {RELIES_M:g} m. "
        + (
            "Nor is there much to remember: an mlp that is told throughout does not run significantly farther than one that is never told."
            if not pays
            else f"Knowing would help in {pays} of {of}, where an mlp that is told throughout runs farther."
        )
        + " What they learn is one way of walking that serves whichever limb is lame."
    )


def _line(runs: pd.DataFrame, told: pd.Series | None, names: Sequence[str]) -> str:
    scores = {name: mean_score(runs, name) for name in names if (runs.network == name).any()}
    able, first = relying(runs, list(scores)), max(scores, key=scores.__getitem__)
    alone = int((runs.score - runs["score.all swapped"] > RELIES_M).sum())
    plastic = [scores[name] for name in plastic_of(scores)]
    ways = [f"{first} goes farthest, {scores[first]:.2f} m"]
    ways += [f"plastic networks {between(plastic, '.2f')} m"] if plastic else []
    said = (
        f"{enumerated(able) or 'no policy'} run{'s' * (len(able) < 2)} more than {RELIES_M:g} m less far once the state is swapped ({alone} of "
        f"{len(runs)} single runs do). {'; '.join(ways)}."
    )
    if told is not None and "mlp" in scores:
        gain = worth_knowing(told, runs)
        sure = "" if gain.low > 0 or gain.high < 0 else ", no significant difference"
        said += f" Told throughout, the mlp runs {interquartile_mean(told).mean:.2f} m in place of {scores['mlp']:.2f} m ({gain:+.2f}{sure})."
    return said
