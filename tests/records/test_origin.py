"""Which commit a result says it was made by, in real repositories."""

import subprocess

import pytest

from spikepropamine.records.origin import changes_since, find_root, git_commit


def git(folder, *words):
    named = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(
        ["git", *named, *words], cwd=folder, capture_output=True, text=True, encoding="utf-8", check=True
    )
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository with one commit, inside of another one."""
    monkeypatch.delenv("SPIKEPROPAMINE_COMMIT", raising=False)
    git(tmp_path, "init")
    (tmp_path / "outer").write_text("1", encoding="utf-8")
    git(tmp_path, "add", "outer")
    git(tmp_path, "commit", "-m", "outer")
    inner = tmp_path / "inner"
    (inner / "lib").mkdir(parents=True)
    (inner / "lib" / "code.py").write_text("1", encoding="utf-8")
    (inner / ".commit").write_text("$Format:%H$\n", encoding="utf-8")
    (inner / ".gitattributes").write_text(".commit export-subst\n", encoding="utf-8")
    git(inner, "init")
    git(inner, "add", ".")
    git(inner, "commit", "-m", "inner")
    return inner


def test_the_commit_is_that_of_the_own_repository_and_says_so_where_the_code_was_changed(project):
    head = git(project, "rev-parse", "HEAD")
    assert git_commit(project) == head != git(project.parent, "rev-parse", "HEAD")
    (project / "notes").write_text("1", encoding="utf-8")
    assert git_commit(project) == head
    (project / "lib" / "code.py").write_text("2", encoding="utf-8")
    assert git_commit(project) == head + "+changes"


def test_the_commit_of_a_repository_around_is_not_taken_for_the_own(project, monkeypatch):
    (project / ".git").rename(project.parent / "put away")
    assert git_commit(project) == "unknown"
    monkeypatch.setenv("SPIKEPROPAMINE_COMMIT", "a" * 40)
    assert git_commit(project) == "a" * 40


def test_an_archive_knows_its_commit(project, tmp_path_factory):
    place = tmp_path_factory.mktemp("archive")
    git(project, "archive", "-o", str(place / "it.tar"), "HEAD")
    subprocess.run(["tar", "-xf", "it.tar"], cwd=place, check=True)
    assert git_commit(place) == git(project, "rev-parse", "HEAD")


def test_without_git_the_environment_or_nothing_tells(project, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert git_commit(project) == "unknown"
    monkeypatch.setenv("SPIKEPROPAMINE_COMMIT", "main")
    with pytest.raises(ValueError, match="SPIKEPROPAMINE_COMMIT = 'main': must be 40 hexadecimal digits"):
        git_commit(project)


def test_changes_are_counted_of_the_named_files_alone(project):
    first = git(project, "rev-parse", "HEAD")
    for name in ("lib/code.py", "notes", "lib/code.py"):
        path = project / name
        path.write_text(f"{path.name} {path.stat().st_size if path.exists() else 0} more", encoding="utf-8")
        git(project, "add", ".")
        git(project, "commit", "-m", name)
    assert changes_since(first, ["lib"], project) == 2 and changes_since(first, ["lib", "notes"], project) == 3
    assert changes_since(first + "+changes", ["lib"], project) == 2
    assert changes_since("unknown", ["lib"], project) is None and changes_since("0" * 40, ["lib"], project) is None


def test_the_root_is_found_from_within_and_its_absence_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be the repository or a folder in it"):
        find_root(tmp_path)
    (tmp_path / "_toc.yml").touch()
    (tmp_path / "book" / "results").mkdir(parents=True)
    assert find_root(tmp_path / "book") == tmp_path.resolve()
