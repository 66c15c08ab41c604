"""The scorecard: a section for each claim, its rounds side by side, each finding with an anchor of its own."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

from ...experiments.temporal_round_two import CELLS
from ...tasks import TASKS
from ..claims import VERDICTS, Judgement, number
from ..figures import minus
from ..judges.judge import Measure

MARKS = dict(zip(VERDICTS, "●◐○–"))  # told apart without colour
_DECIDES = {"mean": "", "low": "lower end ", "high": "upper end "}


def anchor(judgement: Judgement, key: str = "") -> str:
    """The anchor of a judgement, or of what was found of ``key`` (a task, or a network that walks)."""
    words = f"{judgement.id} round {judgement.round.number} {key}"
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def label_of(key: str) -> str:
    """What a column of the grid is called: the label of a task, or a network's name."""
    if key in CELLS:
        task, _, noise = CELLS[key].label.partition(", ")
        return f"{task} ({noise})" if noise else task
    return TASKS[key].label if key in TASKS else key


def in_words(what: str) -> str:
    """What was measured with the label of its task: "dp-oja on cue-reward (high noise), accuracy"."""
    return re.sub(r"(?<=\bon )[a-z0-9-]+", lambda found: label_of(found[0]), what)


def enumerated(names: Sequence[str]) -> str:
    """``names`` in a sentence: "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def deciding_number(measure: Measure) -> str:
    """The number that decides, against its threshold: "lower end 0.934, needed at least 0.950"."""
    if not measure.what:
        return "–"
    side = (
        ("at least" if measure.at_least else "at most")
        if not measure.strict
        else ("above" if measure.at_least else "below")
    )
    return f"{_DECIDES[measure.decides]}{number(measure.number)}, needed {side} {number(measure.threshold)}"


def against(measure: Measure) -> str:
    """What decided, in the shortest form: "dp-oja on cue-reward, accuracy: 0.934 < 0.950"."""
    if not measure.what:
        return ""
    signs = "≥<" if measure.at_least else "≤>"
    if measure.strict:
        signs = ">≤" if measure.at_least else "<≥"
    sign = signs[0 if measure.holds else 1]
    return f"{in_words(measure.what)}: {number(measure.number)} {sign} {number(measure.threshold)}"


def decided_by(measure: Measure) -> str:
    """What decided, in one sentence: the number with its interval, and its threshold."""
    if not measure.what:
        return "Nothing yet: no runs, or too few seeds."
    mean, low, _ = map(number, measure.interval)
    interval = "" if low == "–" else f"{mean} ({low} to {number(measure.interval.high)}); "
    return f"{in_words(measure.what)}: {interval}{deciding_number(measure)}."


def shown(judgements: Iterable[Judgement]) -> pd.DataFrame:
    """The table of all claims as it is read, a row a claim and round; the rounds of a claim stand together."""
    judgements = list(judgements)
    order = list(dict.fromkeys(j.id for j in judgements))
    return pd.DataFrame(
        [
            {
                "claim": f"[{j.label}](#{anchor(j)})",
                "round": j.round.number,
                "statement": j.claim.title,
                "verdict": f"{MARKS[j.verdict]} {j.read()}" + (f", {_of(*j.cells)} cells" if j.decision.found else ""),
                "decided by": against(j.deciding) or "–",
            }
            for j in sorted(judgements, key=lambda j: (order.index(j.id), j.round.number))
        ]
    )


def caption(judgements: Sequence[Judgement]) -> str:
    """The caption of the table: how many claims of the abstract came to which verdict, in each round."""
    told = []
    for n in dict.fromkeys(j.round.number for j in judgements):
        verdicts = [j.verdict for j in judgements if j.round.number == n and not j.claim.ours]
        counts = {verdict: verdicts.count(verdict) for verdict in VERDICTS}
        each = [f"{count} {'is' if count == 1 else 'are'} {verdict}" for verdict, count in counts.items() if count]
        told.append(f"In round {n}, {enumerated(each)}")
    return f"{'. '.join(told)}. The abstract's claims, paraphrased, and the number that decided each."


def section(judgements: Sequence[Judgement], claim: str, root: Path) -> Markdown:
    """What was found of ``claim`` ("claim-3") and of the questions that belong to it ("claim-3-…"), a card a round."""
    belong = [j for j in judgements if j.id == claim or j.id.startswith(f"{claim}-")]
    return _cards(belong, root)


def others(judgements: Sequence[Judgement], claims: Sequence[str], root: Path) -> Markdown:
    """What was found of claims that belong to none of ``claims``; a sentence where there are none."""
    left = [j for j in judgements if not any(j.id == claim or j.id.startswith(f"{claim}-") for claim in claims)]
    return _cards(left, root) if left else Markdown("*None so far.*")


def exceptions(judgements: Sequence[Judgement]) -> Markdown:
    """What was known before each round, and which of its runs were made before its criteria."""
    rounds: dict[tuple[int, str], list[str]] = {}  # those that knew the same are told together
    for one in dict.fromkeys((j.round.number, j.round.known, j.round.exceptions) for j in judgements):
        rounds.setdefault(one[:2], []).extend(one[2])
    told = []
    for (n, known), but in rounds.items():
        told.append(f"**Round {n}.** " + ("Exceptions: " + " ".join(but) if but else "No exception is known."))
        told += [f":::{{dropdown}} Known when the criteria of round {n} were written\n{known}\n:::"] * bool(known)
    return Markdown(minus("\n\n".join(told)))


def _cards(judgements: Sequence[Judgement], root: Path) -> Markdown:
    parts = []
    for id in dict.fromkeys(j.id for j in judgements):
        rounds = sorted((j for j in judgements if j.id == id), key=lambda j: j.round.number)
        claim = rounds[-1].claim
        parts.append(("**Our question, not a claim of the abstract.** " if claim.ours else "") + claim.statement)
        cards = "\n\n".join(_card(j, root) for j in rounds)
        parts.append(f"::::::{{grid}} 1 1 {len(rounds)} {len(rounds)}\n:gutter: 2\n\n{cards}\n::::::")
    return Markdown(minus("\n\n".join(parts)))


def _card(j: Judgement, root: Path) -> str:
    lines = [
        f":::::{{grid-item-card}} Round {j.round.number}: {MARKS[j.verdict]} {j.read()}",
        f"({anchor(j)})=\n**Decided by** {decided_by(j.deciding)}",
    ]
    if j.decision.found:
        lines.append(f"**Cells met:** {_of(*j.cells)}.")
    for key, one in j.decision.found.items():
        count = f", {_of(one.met, one.of)} cells" if one.of > 1 else ""
        lines.append(
            f"({anchor(j, key)})=\n{MARKS[one.verdict]} **{label_of(key)}**: {j.read(one.verdict)}{count}. {_sentence(one.reason)}"
        )
    lines += [f"*Criterion, registered before the runs:* {j.claim.criterion}", behind(j, root), ":::::"]
    return "\n\n".join(lines)


def behind(j: Judgement, root: Path) -> str:
    """One line of links: the chapter, the figure or table, the records."""
    kind = "figure" if j.claim.item.startswith("fig") else "table"
    pages = (root / "_toc.yml").read_text(encoding="utf-8").split()
    links = [f"[chapter]({j.claim.chapter}.ipynb)"] if f"book/{j.claim.chapter}" in pages else []
    if (root / "figures" / j.claim.item).exists():
        links.append(f"[{kind}](#{j.claim.item})")
    records = [name for name in j.records if (root / "book" / "results" / name).exists()]
    links += [f"{{download}}`{name} <results/{name}/manifest.json>`" for name in records]
    return " · ".join(links)


def _of(met: int, of: int) -> str:
    return f"{met} of {of}" if of else "–"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
