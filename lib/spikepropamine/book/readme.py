"""The table of results in README.md, written from the published table of claims whenever figures are."""

from pathlib import Path

import pandas as pd

from ..records.atomic import write_text
from .claims import load_round

BEGIN, END = "<!-- results: written by `make figures` -->", "<!-- end of results -->"
# by chapter, what makes the records behind its claims
COMMANDS = {
    "temporal_tasks": "remake temporal round-two",
    "controls": "remake temporal round-two",
    "locomotion": "remake novel-conditions novel-conditions-round-two",  # where the walks that are judged are measured
    "novel_conditions": "remake novel-conditions novel-conditions-round-two",
    "adaptation": "remake round-two",
}


def results_table(root: Path) -> str:
    """A row for each claim of the paper: its verdicts, round by round, its page, and the command that makes its records."""
    judged = pd.read_csv(root / "figures" / "tab-claims" / "data.csv", encoding="utf-8")
    rounds = judged["round"] if "round" in judged else pd.Series(1, index=judged.index)
    verdicts: dict[str, list[str]] = {}
    for number, claim, verdict in zip(rounds, judged["claim"], judged["verdict"]):
        verdicts.setdefault(claim, []).append(f"round {number}: {verdict}")
    rows = []
    for one in load_round(root / "book" / "claims.yml").claims:
        if not one.ours and one.id in verdicts:
            rows.append(
                {
                    "the paper claims": one.statement,
                    "here": "; ".join(verdicts[one.id]),
                    "page": f"[{one.chapter}](book/{one.chapter}.ipynb)",
                    "made by": f"`python -m spikepropamine {COMMANDS[one.chapter]}`",
                }
            )
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def with_results(root: Path) -> str:
    """README.md with today's table in its place."""
    text = (root / "README.md").read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{results_table(root)}\n\n{END}{after}"


def write_results(root: Path) -> None:
    """Put today's table into README.md."""
    write_text(root / "README.md", with_results(root))
