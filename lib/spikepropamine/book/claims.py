"""Each claim of the paper against the records, round by round: a verdict and the number that decides it."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from .. import records
from ..checks import require, require_choice, require_count, require_not_negative
from ..records.atomic import load_yaml
from .judges import JUDGES, KNOWN_CONDITIONS, KNOWN_NETWORKS, KNOWN_TASKS
from .judges.judge import NOT_YET_RUN, VERDICTS, Claim, Decision, Definitions, Measure, Records, Round

__all__ = [
    "VERDICTS",
    "Claim",
    "Definitions",
    "Judgement",
    "Published",
    "Round",
    "judge",
    "load_round",
    "load_rounds",
    "number",
    "table",
]

_OF_OURS = dict(zip(VERDICTS, ("holds", "holds in part", "does not hold", "not yet run")))
_ROUND = ("round", "definitions", "tasks", "networks", "conditions", "claims")
_CLAIM = ("id", "statement", "judge", "criterion", "chapter", "item")


@dataclass(frozen=True)
class Judgement:
    """A claim's verdict in one round."""

    claim: Claim
    round: Round
    decision: Decision
    records: tuple[str, ...]  # published results that it rests on
    parts: Mapping[str, Decision]  # where it is not yet run, what its parts that are whole come to, by name

    @property
    def id(self) -> str:
        """The claim's name in claims.yml, the same in every round."""
        return self.claim.id

    @property
    def verdict(self) -> str:
        """One of VERDICTS."""
        return self.decision.verdict

    @property
    def deciding(self) -> Measure:
        """The number that decides, against its threshold."""
        return self.decision.deciding

    @property
    def cells(self) -> tuple[int, int]:
        """How many cells, such as networks on tasks, meet the criterion, and of how many."""
        return self.decision.cells

    @property
    def label(self) -> str:
        """What to call it in a table: the claim's number, or whose question it is."""
        return "Ours" if self.claim.ours else self.id.removeprefix("claim-")

    def read(self, verdict: str | None = None) -> str:
        """A verdict in words: what the paper does not say cannot be reproduced, it holds or does not; "not yet judged" where part was run."""
        if verdict is None and self.parts:
            return "not yet judged"
        verdict = verdict or self.verdict
        return _OF_OURS[verdict] if self.claim.ours else verdict


class Published(Mapping):
    """The published results of a folder by name, read when they are asked for: a row a run or a measurement."""

    def __init__(self, folder: Path):
        self.folder, self._read = folder, {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._read:
            at = self.folder / name
            if (at / "measurements.parquet").exists():
                self._read[name] = records.load_measurements(at)[0]
            elif (at / "runs.parquet").exists():
                self._read[name] = records.load_published(at).runs
            else:
                raise KeyError(name)
        return self._read[name]

    def together(self, names: Iterable[str]) -> pd.DataFrame:
        """The rows of those of ``names`` that are published, one below the other."""
        nothing = pd.DataFrame({"config_hash": [], "seed": [], "git_commit": []})
        return pd.concat([self[name] for name in names if name in self] or [nothing], ignore_index=True)

    def __iter__(self) -> Iterator[str]:
        return (path.name for path in sorted(self.folder.iterdir()) if (path / "manifest.json").exists())

    def __len__(self) -> int:
        return sum(1 for _ in self)


def judge(rounds: list[Round], results: Records) -> list[Judgement]:
    """Every claim of ``rounds`` judged by the published ``results``; one without enough runs is "not yet run"."""
    judgements = []
    for one in rounds:
        for claim in one.claims:
            how = JUDGES[claim.judge]
            evidence = how.gather(results, claim, one)
            decision = NOT_YET_RUN if evidence is None else how.decide(evidence, one)
            parts = how.parts(results, claim, one) if evidence is None else {}
            judgements.append(Judgement(claim, one, decision, tuple(how.rests_on(claim, one)), parts))
    return judgements


def latest(judgements: list[Judgement]) -> list[Judgement]:
    """Of each claim the judgement of the latest round that has been run, in the order of the claims' first mention."""
    newest: dict[str, Judgement] = {}
    for one in sorted(judgements, key=lambda j: j.round.number):
        if one.id not in newest or one.decision.found:
            newest[one.id] = one
    return list(newest.values())


def table(judgements: list[Judgement]) -> pd.DataFrame:
    """One row a claim and round; ``measured`` is the number that decides, with its interval."""
    rows = [
        (j.id, j.round.number, j.claim.criterion, *j.deciding.interval, j.verdict) for j in judgements
    ]  # fmt: skip
    columns = ["claim", "round", "criterion", "measured", "interval_low", "interval_high", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def number(value: float) -> str:
    """A measured value as it is read: whole where it is large, three places where it is not, a dash where there is none."""
    return "–" if math.isnan(value) else (f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}")


# ---------------------------------------------------------------- reading claims.yml


def load_rounds(path: Path) -> list[Round]:
    """The rounds of ``path``, in their order; ValueError names the field that is wrong and what is allowed."""
    content = load_yaml(path)
    require(isinstance(content, dict) and set(content) == {"rounds"}, str(path), content, "a mapping with rounds alone")
    entries = content["rounds"]
    require(isinstance(entries, list) and len(entries) > 0, f"{path}: rounds", entries, "a list of one or more rounds")
    rounds = [_round(path, entry) for entry in entries]
    names = [(one.number, claim.id) for one in rounds for claim in one.claims]
    for name in names:
        require(names.count(name) == 1, f"{path}: claim of round {name[0]}", name[1], "named once in a round")
    return _titled(sorted(rounds, key=lambda one: one.number))


def load_round(path: Path, number: int = 1, part: str = "") -> Round:
    """One round of ``path``, or one part of it; ValueError names what is wrong and what is allowed."""
    rounds = {(one.number, one.part): one for one in load_rounds(path)}
    require_choice("number", number, list(dict.fromkeys(at for at, _ in rounds)))
    require_choice("part", part, [of for at, of in rounds if at == number])
    return rounds[number, part]


def _round(path: Path, entry: Any) -> Round:
    require(isinstance(entry, dict), f"{path}: rounds", entry, "a list of mappings")
    for name in _ROUND:
        require(name in entry, f"{path}: round", sorted(entry), f"a mapping with {', '.join(_ROUND)}")
    require_count(f"{path}: round", entry["round"])
    where = f"{path}: round {entry['round']}: "
    for name in entry:
        require_choice(where + "field", name, (*_ROUND, "part", "known", "exceptions"))
    require(isinstance(entry["claims"], list), where + "claims", entry["claims"], "a list")
    claims = tuple(_claim(where, claim) for claim in entry["claims"])
    exceptions = entry.get("exceptions", [])
    texts = isinstance(exceptions, list) and all(isinstance(text, str) for text in exceptions)
    require(texts, where + "exceptions", exceptions, "a list of texts")
    for name in {name for claim in claims for name in JUDGES[claim.judge].about}:
        require(bool(entry[name]), where + name, entry[name], "one or more, which claims of the round go through")
    return Round(
        entry["round"],
        _text(where + "part", entry.get("part", "")),
        _text(where + "known", entry.get("known", "")),
        tuple(exceptions),
        _definitions(where, entry["definitions"], claims),
        _names(where + "tasks", entry["tasks"], KNOWN_TASKS),
        _networks(where, entry["networks"], claims),
        _conditions(where + "conditions", entry["conditions"]),
        claims,
    )


def _titled(rounds: list[Round]) -> list[Round]:
    """The rounds with a title for every claim: its own, that of an earlier round with the same statement, or the statement."""
    titles: dict[str, str] = {}
    for claim in (claim for one in rounds for claim in one.claims):
        titles.setdefault(claim.statement, claim.title or claim.statement.rstrip("."))
    return [
        replace(one, claims=tuple(replace(c, title=c.title or titles[c.statement]) for c in one.claims))
        for one in rounds
    ]


def _claim(where: str, entry: Any) -> Claim:
    require(isinstance(entry, dict), where + "claims", entry, "a list of mappings")
    for name in _CLAIM:
        require(isinstance(entry.get(name), str), where + name, entry.get(name), "a text")
    where = f"{where}{{}} of {entry['id']}"
    require_choice(where.format("judge"), entry["judge"], JUDGES)
    title, ours = entry.get("title", ""), entry.get("ours", False)
    require(isinstance(title, str), where.format("title"), title, "a text")
    require(isinstance(ours, bool), where.format("ours"), ours, "true or false")
    options = {name: value for name, value in entry.items() if name not in (*_CLAIM, "title", "ours")}
    allowed = JUDGES[entry["judge"]].options or {}
    for name, value in options.items():
        require_choice(where.format("field"), name, (*_CLAIM, "title", "ours", *allowed))
        require_choice(where.format(name), value, allowed[name])
    for name in allowed:
        require(name in options, where.format(name), None, "one of " + ", ".join(map(repr, allowed[name])))
    return Claim(**{name: entry[name] for name in _CLAIM}, title=title, ours=ours, options=options)


def _definitions(where: str, entry: Any, claims: tuple[Claim, ...]) -> Definitions:
    needed = sorted({name for claim in claims for name in JUDGES[claim.judge].needs})
    fits = isinstance(entry, dict) and set(entry) == set(needed)
    require(fits, where + "definitions", entry, "exactly " + ", ".join(needed))
    for name, value in entry.items():
        require_not_negative(where + name, value)
    return Definitions(entry)


def _networks(where: str, entry: Any, claims: tuple[Claim, ...]) -> dict[str, tuple[str, ...]]:
    roles = sorted({role for claim in claims for role in JUDGES[claim.judge].roles})
    fits = isinstance(entry, dict) and set(roles) <= set(entry)
    require(fits, where + "networks", entry, "a mapping with " + ", ".join(roles))
    networks = {}
    for role, names in entry.items():
        networks[role] = _names(
            f"{where}networks: {role}", [names] if isinstance(names, str) else names, KNOWN_NETWORKS
        )
        require(len(networks[role]) > 0, f"{where}networks: {role}", names, "one or more networks")
    return networks


def _conditions(where: str, entry: Any) -> dict[str, float | None]:
    require(isinstance(entry, dict), where, entry, "a mapping of conditions to the strengths that are judged")
    _names(where, list(entry), KNOWN_CONDITIONS)
    for name, strength in entry.items():
        if strength is not None:
            require_not_negative(f"{where}: {name}", strength)
    return entry


def _names(where: str, entry: Any, known: tuple[str, ...]) -> tuple[str, ...]:
    require(isinstance(entry, list), where, entry, "a list of names")
    for name in entry:
        require_choice(where, name, known)
    return tuple(entry)


def _text(where: str, entry: Any) -> str:
    require(isinstance(entry, str), where, entry, "a text")
    return entry.strip()
