"""How to run a chapter again: the command, how long it takes, its parameters, and a question of one's own."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from ..experiments.config import Experiment
from ..experiments.sweeps import core_hours, expected_hours
from ..records.atomic import load_yaml
from .parameters import ChapterParameters

Made = tuple[pd.DataFrame, Experiment]  # runs behind a page, and what its command makes in their place
_ENVIRONMENT = ". .venv/bin/activate"
_TO_PAGE = "jupyter nbconvert --to html out.ipynb    # a page to open in a browser: out.html"


def command(chapter: str, given: str) -> str:
    """The command that runs a chapter with the parameters ``given``, and shows it as a page."""
    run = f"papermill book/{chapter}.ipynb out.ipynb {given}".rstrip()
    return (
        "From the root of the repository, in the environment that `make book` sets up:\n\n"
        f"```bash\n{_ENVIRONMENT}\n{run}\n{_TO_PAGE}\n```"
    )


def asking(chapter: str, given: str, asks: tuple[str, str] | None) -> str:
    """How to ask a question of one's own, by the example of a question and the ``change`` that asks it; "" without one."""
    if asks is None:
        return ""
    question, change = asks
    return (
        f"**Your own question.** {question} The parameter `change` asks it, and the page then shows your result beside the "
        f'nearest published one:\n\n```bash\n{_ENVIRONMENT}\npapermill book/{chapter}.ipynb out.ipynb {given} -p change "{change}"\n'
        "jupyter nbconvert --to html out.ipynb\n```"
    )


def parameters(kind: type[ChapterParameters], notes: Mapping[str, str], change: bool) -> str:
    """A table of the parameters; ``notes`` say what one means where that is not its usual meaning."""
    rows = [
        {
            "parameter": f"`{name}`",
            "meaning": notes.get(name, meaning),
            "allowed": "–" if name in notes else allowed,
            "default": f"`{default}`" if default != "" else "none",
        }
        for name, default, meaning, allowed in kind.described()
        if name != "change" or change
    ]
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def how_long(made: Sequence[Made], published: Sequence[pd.DataFrame], beside: Sequence[pd.DataFrame] = ()) -> str:
    """How long the runs behind a page took, and how long its command takes.

    Args:
        made: one or more.
        published: of the runs that the command makes, those that are published, a table for each of ``made``.
        beside: runs behind the page that the command does not make.
    """
    hours = sum(map(core_hours, (*(runs for runs, _ in made), *beside)))
    told = (
        f"The runs behind this page took {hours:.2f} core hours, {hours / 2:.2f} hours on two cores. The command makes "
    )
    told += counted(sum(len(experiment.runs) for _, experiment in made), "run")
    if all(len(runs) == len(experiment.runs) for runs, (_, experiment) in zip(published, made)):
        return (
            told
            + f", which took {_minutes(sum(map(core_hours, published)) / 2)} on two cores when they were published."
        )
    expected = sum(expected_hours(experiment, runs) for runs, experiment in made)
    return told + f": at the speed of these, {_minutes(expected / 2)} on two cores."


def binder(root: Path, chapter: str) -> str:
    """Where to run a chapter without installing anything; "" where ``CITATION.cff`` names no public repository."""
    public = load_yaml(root / "CITATION.cff").get("repository-code", "")
    found = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)/?", public)
    if found is None:
        return ""
    link = f"https://mybinder.org/v2/gh/{found[1]}/HEAD?urlpath=lab/tree/book/{chapter}.ipynb"
    return f"[Run it on Binder]({link}), in the environment of `environment.yml`."


def status(experiment: Experiment, runs: pd.DataFrame, which: str, unrun: Collection[str] = ()) -> str:
    """One sentence, in Markdown: which runs a page shows, and which of its networks have none yet."""
    missing = len(experiment.runs) - len(runs)
    told = (
        f"Shown are {len(runs)} {which} at profile `{experiment.profile}`: {len(experiment.configs)} "
        f"configurations, {counted(runs.seed.nunique(), 'seed')}, {core_hours(runs):.2f} core hours on "
        f"{', '.join(sorted(set(runs.cpu)))}."
    )
    told += f" **Missing of this profile: {counted(missing, 'run')}.**" if missing else ""
    return told + (f" Not yet run: {', '.join(f'`{name}`' for name in sorted(unrun))}." if unrun else "")


def counted(n: int, what: str) -> str:
    """``n`` of ``what``, in words: 1 seed, 2 seeds."""
    return f"{n} {what}" + ("" if n == 1 else "s")


def _minutes(hours: float) -> str:
    return counted(max(1, round(60 * hours)), "minute")
