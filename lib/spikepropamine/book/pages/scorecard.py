"""The scorecard: a section for each claim, its rounds side by side, each finding with an anchor of its own."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from string import ascii_lowercase

import pandas as pd
from IPython.display import Markdown

from ...experiments.temporal_round_two import CELLS, COMPARED
from ...snn.controls import CONTROLS
from ...tasks import TASKS
from ...walking.policies import POLICIES
from ..claims import VERDICTS, Judgement, number
from ..figures import minus
from ..judges.judge import Decision, Measure, Round
from ..judges.temporal import Thresholds
from ..judges.temporal_round_two import limits_of
from ..phrases import capital, enumerated

MARKS = dict(zip(VERDICTS, "●◐○–"))  # told apart without colour
_DECIDES = {"mean": "mean ", "low": "lower end ", "high": "upper end "}
# parts of a round whose name does not say what they are about
_PARTS = {"adaptation": "a walk that must be remembered", "finding out": "a direction that must be found out"}
_RECORDS = {
    "novel-conditions": "walking under novel conditions",
    "two-trials": "two trials of a walk",
    "two-trials-reward": "two trials of a walk, reward shown",
}
_NONE = "Registered before the runs, without exception."  # an entry of a round's exceptions that begins so is none
_KNOWN_BEFORE = "what-was-known-before-each-round"  # the anchor of that section


def anchor(judgement: Judgement, key: str = "") -> str:
    """The anchor of a judgement, or of what was found of ``key`` (a task, or a network that walks)."""
    words = f"{judgement.id} round {judgement.round.number} {key}"
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def label_of(key: str, noise: str = "") -> str:
    """What a column of the grid is called: the label of a task, with its level of ``noise``, or a network's name."""
    if key in CELLS:
        task, _, noise = CELLS[key].label.partition(", ")
        return f"{task} ({noise})" if noise else task
    if key not in TASKS:
        return key
    return f"{TASKS[key].label} ({noise} noise)" if noise else TASKS[key].label


def in_words(what: str, noise: str = "") -> str:
    """What was measured with the label of its task: "dp-oja on cue-reward (high noise), accuracy"."""
    return re.sub(r"(?<=\bon )[a-z0-9-]+", lambda found: label_of(found[0], noise), what)


def deciding_number(measure: Measure) -> str:
    """The number that decides, against its threshold: "lower end 0.934, needed at least 0.950"."""
    if not measure.what:
        return "–"
    side = (
        ("at least" if measure.at_least else "at most")
        if not measure.strict
        else ("above" if measure.at_least else "below")
    )
    return f"{_end(measure)}{number(measure.number)}, needed {side} {number(measure.threshold)}"


def _end(measure: Measure) -> str:
    """Which number of an interval decides; "" where there is no interval."""
    has_ends = number(measure.interval.low) != "–"
    return _DECIDES[measure.decides] if has_ends or measure.decides != "mean" else ""


def against(measure: Measure, noise: str = "") -> str:
    """What decided, in the shortest form: "dp-oja on cue-reward, accuracy: lower end 0.934 < 0.950"."""
    if not measure.what:
        return ""
    signs = "≥<" if measure.at_least else "≤>"
    if measure.strict:
        signs = ">≤" if measure.at_least else "<≥"
    sign = signs[0 if measure.holds else 1]
    return (
        f"{in_words(measure.what, noise)}: {_end(measure)}{number(measure.number)} {sign} {number(measure.threshold)}"
    )


def decided_by(measure: Measure, noise: str = "") -> str:
    """What decided, in one sentence: the number with its interval, and its threshold."""
    mean, low, _ = map(number, measure.interval)
    interval = "" if low == "–" else f"{mean} ({low} to {number(measure.interval.high)}); "
    return f"{in_words(measure.what, noise)}: {interval}{deciding_number(measure)}."


def _noise(j: Judgement) -> str:
    """The level of noise that a claim on tasks is about, where its entry names one."""
    return j.claim.options.get("noise", "")


def labels(judgements: Iterable[Judgement]) -> dict[str, str]:
    """By claim, in the order of the page, what to call it: "3", and "3a" for our first question beside it; "A1" where it stands alone."""
    ours: dict[str, list[str]] = {}  # by what they belong to, the abstract's claims first
    for j in sorted(judgements, key=lambda j: (j.claim.ours, j.round.number)):
        ids = ours.setdefault("-".join(j.id.split("-")[:2]), [])
        ids += [j.id] * (j.id not in ids)
    called = {}
    for to, ids in ours.items():
        name = to.removeprefix("claim-")
        letters = [name, *(f"{name}{letter}" for letter in ascii_lowercase)]
        called |= dict(zip(ids, letters if name.isdigit() else (f"{name[0].upper()}{n + 1}" for n in range(len(ids)))))
    return called


def shown(judgements: Iterable[Judgement]) -> pd.DataFrame:
    """The table of all claims as it is read, a row a claim and round, in the order of the page."""
    judgements = list(judgements)
    called = labels(judgements)
    order = list(called)
    return pd.DataFrame(
        [
            {
                "claim": f"[{called[j.id]}](#{anchor(j)})",
                "round": j.round.number,
                "statement": j.claim.title,
                "verdict": f"{MARKS[j.verdict]} {j.read()}"
                + (f", {cells_in_words(j.decision)}" if j.decision.found else ""),
                "decided by": f"{against(j.deciding, noise=_noise(j))}\N{NO-BREAK SPACE}{'✓' if j.deciding.holds else '✗'}"
                if j.deciding.what
                else "–",
            }
            for j in sorted(judgements, key=lambda j: (order.index(j.id), j.round.number))
        ]
    )


def caption(judgements: Sequence[Judgement]) -> str:
    """The caption of the table: how many claims of the abstract came to which verdict, in each round."""
    told = []
    for n in dict.fromkeys(j.round.number for j in judgements):
        of_it = sorted((j for j in judgements if j.round.number == n and not j.claim.ours), key=_verdict)
        verdicts = [j.read() for j in of_it]
        told.append(f"round {n} has {enumerated(f'{verdicts.count(one)} {one}' for one in dict.fromkeys(verdicts))}")
    return (
        f"Of the abstract's claims: {'; '.join(told)}. They are paraphrased; numbers with a letter are our own questions. The number that "
        "decided each is on the side of its threshold that the claim asks for (✓) or is not (✗)."
    )


def _verdict(j: Judgement) -> int:
    return VERDICTS.index(j.verdict)


def line(j: Judgement) -> str:
    """A claim with its verdict and how many cells met its criterion, as a line of a list."""
    met, of = j.cells
    return f"- **{j.claim.statement}** {j.read().capitalize()}{f', {met} of {of} met' if of else ''}."


def of_part(judgements: Iterable[Judgement], number: int, part: str) -> str:
    """The claims of one part of a round with their verdicts, as a list."""
    return "\n".join(line(j) for j in judgements if (j.round.number, j.round.part) == (number, part))


def solving(rounds: Iterable[Round]) -> str:
    """From which accuracy on a task is solved and up to which it is failed, in a sentence; empty where no round says."""
    ends: dict[Thresholds, list[str]] = {}  # by thresholds, the tasks, in the order of the rounds
    for one in rounds:
        d = one.definitions
        if "solved_at_least" in d:
            tasks = ends.setdefault(limits_of(d), [])
            tasks += [label_of(task) for task in one.tasks if label_of(task) not in tasks]
    if not ends:
        return ""
    first, *others = ends.items()
    told = (
        f"A network *solves* a task when the lower end of the interval of its accuracy is at least {first[0].solved:.2f}, and *fails* it when the "
        f"upper end is at most {first[0].failed:.2f}"
    )
    each = [f"on {enumerated(tasks)}, {limit.solved:.3f} and {limit.failed:.3f}" for limit, tasks in others]
    return "; ".join([told, *each]) + "."


def section(judgements: Sequence[Judgement], claim: str, root: Path) -> Markdown:
    """What was found of ``claim`` ("claim-3") and of the questions that belong to it ("claim-3-…"), a card a round."""
    belong = [j for j in judgements if j.id == claim or j.id.startswith(f"{claim}-")]
    return _cards(belong, root, labels(judgements))


def exceptions(judgements: Sequence[Judgement]) -> Markdown:
    """What was known before each round, and which of its runs were made before its criteria."""
    together: dict[tuple[int, str], list[Round]] = {}  # parts of a round that knew the same are told together
    for j in judgements:
        parts = together.setdefault((j.round.number, j.round.known), [])
        if j.round.part not in [one.part for one in parts]:
            parts.append(j.round)
    told = []
    for (n, known), parts in together.items():
        words = enumerated([_PARTS.get(one.part, one.part) for one in parts if one.part])
        which = f"{n}, {words}" if words else f"{n}"
        but = " ".join(filter(None, (text.removeprefix(_NONE).strip() for one in parts for text in one.exceptions)))
        told.append(f"**Round {which}.** " + (f"Exceptions: {but}" if but else "No exception."))
        told += [f":::{{dropdown}} Known when the criteria of round {which} were written\n{known}\n:::"] * bool(known)
    return Markdown(minus("\n\n".join(told)))


def _has_exceptions(round: Round) -> bool:
    """Whether something was run or known that "registered before the runs" does not say."""
    return any(text.removeprefix(_NONE).strip() for text in round.exceptions)


def _cards(judgements: Sequence[Judgement], root: Path, called: Mapping[str, str]) -> Markdown:
    parts = []
    for id in dict.fromkeys(j.id for j in judgements):
        rounds = sorted((j for j in judgements if j.id == id), key=lambda j: j.round.number)
        claim = rounds[-1].claim
        whose = f"**{called[id]}, our question, not a claim of the abstract.** " if claim.ours else ""
        parts.append(whose + claim.statement)
        cards = "\n\n".join(
            _card(j, root, "" if j.claim.statement == claim.statement else j.claim.statement) for j in rounds
        )
        parts.append(f"::::::{{grid}} 1 1 {len(rounds)} {len(rounds)}\n:gutter: 2\n\n{cards}\n::::::")
    return Markdown(minus("\n\n".join(parts)))


def _card(j: Judgement, root: Path, asked: str) -> str:
    """The card of one round; ``asked`` is its statement where it is not the one above the cards."""
    lines = [
        f":::::{{grid-item-card}} Round {j.round.number}: {MARKS[j.verdict]} {j.read()}",
        *([f"*Asked in round {j.round.number}:* {asked}"] if asked else []),
        f"({anchor(j)})=\n"
        + (
            f"**No verdict yet:** only {enumerated(j.parts)} is measured with all its seeds."
            if j.parts
            else f"**Decided by** {decided_by(j.deciding, _noise(j))}"
            if j.deciding.what
            else "**No verdict yet:** no runs, or too few seeds."
        ),
    ]
    if j.decision.found:
        lines.append(f"**Met by** {cells_in_words(j.decision)}.")
    for key, one in j.decision.found.items():
        count = f", {_counted(one.met, one.of, one.in_part)}" if one.of > 1 else ""
        lines.append(
            f"({anchor(j, key)})=\n{MARKS[one.verdict]} **{label_of(key, _noise(j))}**: {j.read(one.verdict)}{count}. {_sentence(one.reason)}"
        )
    for part, decision in j.parts.items():
        lines.append(
            f"**{part} by itself, which is no verdict:** {MARKS[decision.verdict]} {j.read(decision.verdict)}, {cells_in_words(decision)}. "
            f"{decided_by(decision.deciding)}"
        )
    registered = "registered before the runs"
    if _has_exceptions(j.round):
        registered = f"[{registered}, with exceptions](#{_KNOWN_BEFORE})"
    lines += [f"*Criterion ({registered}):* {j.claim.criterion}", behind(j, root), ":::::"]
    return "\n\n".join(lines)


def behind(j: Judgement, root: Path) -> str:
    """One line of links: the chapter, the figure or table, the records."""
    kind = "figure" if j.claim.item.startswith("fig") else "table"
    pages = (root / "_toc.yml").read_text(encoding="utf-8").split()
    links = [f"[chapter]({j.claim.chapter}.ipynb)"] if f"book/{j.claim.chapter}" in pages else []
    if (root / "figures" / j.claim.item).exists():
        links.append(f"[{kind}](#{j.claim.item})")
    records = [name for name in j.records if (root / "book" / "results" / name).exists()]
    downloads = [f"{{download}}`{_records_label(name)} <results/{name}/manifest.json>`" for name in records]
    return " · ".join([*links, *(["run records: " + " · ".join(downloads)] if downloads else [])])


def _records_label(name: str) -> str:
    """What published records are called: the label of their task, "two trials of a walk"."""
    of = name.removesuffix("-round-two")
    task = of.removesuffix("-controls")
    return _RECORDS.get(of, label_of(task) + (", other memories" if task != of else ""))


def cells_in_words(decision: Decision) -> str:
    """How many cells meet the criterion, of how many, and how many that do not meet it in part: "0 of 4 cells, 4 in part"."""
    return _counted(*decision.cells, sum(one.in_part for one in decision.found.values()))


def _counted(met: int, of: int, part: int) -> str:
    return f"{_of(met, of)} cells" + (f", {part} in part" if part else "")


def _of(met: int, of: int) -> str:
    return f"{met} of {of}" if of else "–"


def _sentence(text: str) -> str:
    """``text`` as a sentence; a network's name at its beginning stays as it is."""
    name = re.match(r"[a-z0-9-]*", text)[0]
    return (text if name in {*POLICIES, *CONTROLS, *COMPARED} else capital(text)) + "."
