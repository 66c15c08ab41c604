from spikepropamine import records
from spikepropamine.book import chapters
from spikepropamine.book.parameters import ChapterParameters
from spikepropamine.timing import page_times


def test_a_command_is_written_as_one_types_it():
    assert page_times.command("performance") == "-p profile quick -p recompute true"
    assert page_times.command("novel_conditions") == "-p profile quick -p workers 2"


def test_a_page_is_run_and_timed(repository, monkeypatch):
    monkeypatch.setattr(page_times, "PAGES", {"plasticity_rules": page_times.PAGES["plasticity_rules"]})
    table, _ = page_times.measure(repository)
    assert table.chapter.tolist() == ["plasticity_rules"] and (table.seconds > 1).all()


def test_the_panel_of_each_such_page_says_what_its_command_took(repository):
    parameters = dict(profile="paper", recompute=False, seeds=None, networks="all", workers=1, device="cpu")
    seconds = records.load_measurements(repository / "book" / "results" / "page-times")[0].set_index("chapter").seconds
    for chapter in page_times.PAGES:
        told = (
            chapters.Chapter(chapter, ChapterParameters(**parameters), repository)
            .panel(page_times.command(chapter))
            .data
        )
        minutes = max(1, round(seconds[chapter] / 60))
        assert f"The command took {minutes} minute{'s' * (minutes > 1)} on two cores when that was measured." in told
