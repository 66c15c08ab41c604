"""``python -m spikepropamine``: build and test the book, train, measure and publish, and check all that is published."""

import argparse
import io
import os
import signal
import subprocess
import sys
from pathlib import Path


def main(words: list[str] | None = None) -> int:
    """Do what the words of the command line say; the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does: an end that takes the workers along
    for stream in (sys.stdout, sys.stderr):  # of which not every one can write an η
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    parser = argparse.ArgumentParser(prog="python -m spikepropamine", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)

    def action(do, text: str) -> argparse.ArgumentParser:
        one = actions.add_parser(do.__name__.strip("_"), help=text, description=text)
        one.set_defaults(do=do)
        return one

    def with_workers(one: argparse.ArgumentParser, default: int = 1) -> None:
        told = f"runs at a time (default {default}), or the address of a Dask scheduler"
        one.add_argument("--workers", type=_workers, default=default, help=told)

    with_workers(action(book, "build the book from the published records"), os.cpu_count() or 1)
    with_workers(action(figures, "build the book and put its figures in the place of figures/"), os.cpu_count() or 1)
    tests = action(test, "run the tests; other words are passed on to pytest")
    tests.add_argument(
        "--slow", action="store_true", help="those that take long and rarely break, which are left out else"
    )
    one = action(remake, "train, measure and publish what is not published, in the order it takes")
    groups = "temporal, round-two, walking, measurements, timings"
    one.add_argument("what", nargs="*", help=f"experiments and measurements by name, or {groups}; all")
    one.add_argument("--dry-run", action="store_true", help="say what there is to do, and do nothing")
    with_workers(one)
    one = action(sweep, "make the missing runs of an experiment")
    one.add_argument("name")
    with_workers(one)
    one = action(publish, "publish the finished runs of an experiment, or make a measurement and publish it")
    one.add_argument("name")
    with_workers(one)
    action(verify, "check every published record, figure and table to the byte, and prose for typed numbers")
    one = action(stale, "name what is no longer what today's code and records would make, and why")
    one.add_argument("--remake", action="store_true", help="train what is stale again, that alone, and publish it")
    with_workers(one)

    given, rest = parser.parse_known_args(words)
    if rest and given.do is not test:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    given.rest = rest
    try:
        from .records.origin import find_root

        return given.do(given, find_root())
    except (ValueError, OSError) as error:  # of the operating system, such as a folder that may not be written to
        print(f"{parser.prog} {given.action}: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        return error.returncode


def _workers(word: str) -> int | str:
    from .experiments.choices import check_workers

    workers = int(word) if word.removeprefix("-").isdecimal() else word
    try:
        check_workers(workers)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return workers


def _store(root: Path):
    from .experiments.sweeps import Store

    return Store(root / ".runs", root / "book" / "results")


def book(given, root: Path) -> int:
    from .book.build import build

    print(f"The book is at {build(root, given.workers)}")
    return 0


def figures(given, root: Path) -> int:
    from .book.build import build, publish_figures

    build(root, given.workers)
    publish_figures(root)
    return 0


def test(given, root: Path) -> int:
    which = ["-m", "slow" if given.slow else "not slow", "-n", "2", "--dist", "worksteal"]
    return subprocess.run([sys.executable, "-m", "pytest", *which, *given.rest], cwd=root).returncode


def remake(given, root: Path) -> int:
    from .audit.remaking import plan

    store = _store(root)
    for step in plan(given.what, store):
        print(f"{step.name}: {step.why}", flush=True)
        if step.make is not None and not given.dry_run:
            step.make(store, given.workers)
    print("make figures, or python -m spikepropamine figures, draws the figures of these records.")
    return 0


def sweep(given, root: Path) -> int:
    from .checks import require_choice
    from .experiments import sweeps
    from .experiments.catalogue import EXPERIMENTS

    require_choice("name", given.name, EXPERIMENTS)
    sweeps.sweep(EXPERIMENTS[given.name](), _store(root), given.workers)
    return 0


def publish(given, root: Path) -> int:
    from .audit.remaking import ALL_MEASUREMENTS, EVERYTHING
    from .checks import require_choice
    from .experiments import sweeps
    from .experiments.catalogue import EXPERIMENTS

    require_choice("name", given.name, EVERYTHING)
    if given.name in EXPERIMENTS:
        sweeps.publish(EXPERIMENTS[given.name](), _store(root))
    else:
        ALL_MEASUREMENTS[given.name].run(given.name, _store(root), given.workers)
    return 0


def verify(given, root: Path) -> int:
    from .audit import verification

    checked, problems = verification.verify(root)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{checked} folders checked, {len(problems)} not as they were made.")
    return 1 if problems else 0


def stale(given, root: Path) -> int:
    from .audit import staleness
    from .experiments.catalogue import EXPERIMENTS

    store = _store(root)
    if given.remake:
        staleness.remake(list(staleness.stale_records(EXPERIMENTS, store)), EXPERIMENTS, store, given.workers)
        print("The records are fresh; make figures remakes the figures.")
        return 0
    lines = list(staleness.everything_stale(root, store))
    print("\n".join([*lines, *([] if lines else ["Nothing is stale."]), *staleness.age_of_timings(store.published)]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
