"""What ``python -m spikepropamine`` refuses, and that it does what the functions behind it do."""

import io

import pytest

from spikepropamine.__main__ import main
from spikepropamine.audit.remaking import GROUPS


@pytest.fixture
def workshop(repository, tmp_path, monkeypatch):
    """A repository in which nothing is published."""
    (tmp_path / "_toc.yml").touch()
    (tmp_path / "book" / "results").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "words, named",
    [
        ("sweep walking", "name = 'walking': must be one of 'cue-association-search', 'cue-association'"),
        ("publish walking", "name = 'walking': must be one of"),
        ("remake walk", "what = 'walk': must be one of 'temporal', 'round-two', 'walking', 'measurements', 'timings'"),
        ("publish controls", "controls is measured of cue-association, cue-reward, recall"),
        ("publish retraining", "retraining is measured of cue-association-search"),
        ("publish cue-association", "runs = []: must be at least one finished run"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_leaves_nothing(workshop, capsys, words, named):
    assert main(words.split()) == 2
    told = capsys.readouterr().err
    assert named in told and "Traceback" not in told
    assert list((workshop / "book" / "results").iterdir()) == [] and not (workshop / ".runs").exists()


def test_the_help_of_remake_names_its_groups(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit):
        main(["remake", "--help"])
    assert ", ".join(GROUPS) in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "words", ["stale", "verify", "sweep recall-quick", "publish controls", "remake", "book", "test"]
)
def test_outside_of_a_repository_nothing_is_done(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    assert "must be the repository or a folder in it" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", ["stale --remake", "remake", "sweep recall-quick", "publish controls", "book"])
@pytest.mark.parametrize("workers", ["0", "-1", "two", "²", "tcp://nowhere"])
def test_a_wrong_number_of_workers_is_refused_by_every_command(workshop, capsys, words, workers):
    with pytest.raises(SystemExit) as refused:
        main([*words.split(), "--workers", workers])
    assert refused.value.code == 2 and "workers = " in capsys.readouterr().err


def test_a_file_where_a_folder_of_results_should_be_is_said_in_one_line(workshop, capsys):
    (workshop / "book" / "results" / "recall").touch()
    assert main(["remake", "--dry-run"]) == 2
    told = capsys.readouterr().err
    assert "recall" in told and "Traceback" not in told and told.count("\n") == 1


def test_an_output_that_cannot_write_greek_gets_a_question_mark(workshop, monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, "cp1252"))
    main(["publish", "cue-association"])
    print("η → 1", flush=True)
    assert written.getvalue() == b"? ? 1\n"


def test_a_film_without_a_display_is_refused_before_anything_walks(repository, monkeypatch, capsys):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.chdir(repository)
    assert main(["publish", "gait"]) == 2 and "gait needs a display" in capsys.readouterr().err


def test_the_plan_of_an_empty_store_names_everything_in_the_order_it_takes(workshop, capsys):
    assert main(["remake", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.partition(":")[0] for line in lines]
    for earlier, later in (("recall", "controls"), ("ant", "adaptation"), ("adaptation", "walking-again")):
        assert names.index(earlier) < names.index(later)
    assert "recall: 200 of 200 runs" in lines and "controls: to be measured" in lines
    assert not (workshop / ".runs").exists()


def test_the_plan_of_one_measurement_has_what_it_is_measured_of(workshop, capsys):
    assert main(["remake", "controls", "--dry-run"]) == 0
    names = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert names[:4] == ["cue-association", "cue-reward", "recall", "controls"]


def test_what_is_published_is_not_made_again_but_timings_are_when_they_are_asked_for(repository, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    assert main(["remake", "recall", "performance", "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["recall: published", "performance: to be measured"]
    assert main(["remake", "controls", "--dry-run"]) == 0
    assert "controls: published" in capsys.readouterr().out


def test_a_small_experiment_is_remade_published_and_then_left_alone(workshop, capsys, monkeypatch):
    from functools import partial

    from spikepropamine.experiments import catalogue
    from spikepropamine.experiments.temporal import temporal

    small = partial(temporal, "recall", "smoke", seeds=1, networks=["snn", "ndp-oja"], noises=["low"])
    monkeypatch.setitem(catalogue.EXPERIMENTS, "recall-smoke", small)
    monkeypatch.setattr("spikepropamine.audit.remaking.EVERYTHING", ("recall-smoke",))
    assert main(["remake", "recall-smoke"]) == 0
    assert "recall-smoke: 2 of 2 runs" in capsys.readouterr().out
    assert (workshop / "book" / "results" / "recall-smoke" / "runs.parquet").exists()
    assert main(["remake", "recall-smoke"]) == 0
    assert "recall-smoke: published" in capsys.readouterr().out
