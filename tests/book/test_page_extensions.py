"""The book's own Sphinx extensions."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from docutils import nodes, utils

sys.path.insert(0, str(Path(__file__).parents[2] / "book" / "_ext"))
import citation
import fields
import films
import items
import mathematics
import search_texts
import unexecuted


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/x/figures/fig-reward/figure.svg", "fig-reward.svg"),
        ("/x/figures/tab-reward/data.csv", "tab-reward.csv"),
        ("/x/figures/tab-reward/data.csv-metadata.json", "tab-reward.csv-metadata.json"),
        ("/x/figures/fig-reward/provenance.json", "fig-reward-provenance.json"),
        ("/x/book/results/recall/manifest.json", "recall-manifest.json"),
        ("/x/book/robot.svg", None),
    ],
)
def test_a_file_is_called_by_its_item(path, name):
    assert items.named_by_item(path) == name


def test_the_player_names_no_builder_of_one_page():
    named = []  # where one extension names a builder, Sphinx asks all of them for theirs, and sphinx-design has none
    films.setup(SimpleNamespace(add_node=lambda node, **how: named.extend(how), add_directive=lambda *_: None))
    assert named == ["html"]


def test_only_pages_with_formulas_load_what_sets_them():
    config = SimpleNamespace(mathjax_path="mathjax/tex.js")
    app = SimpleNamespace(config=config, builder=SimpleNamespace(name="html"))
    plain, formula = utils.new_document(""), utils.new_document("")
    formula += nodes.paragraph("", "", nodes.math("x", "x"))
    for doctree, left in ((plain, 1), (None, 1), (formula, 2)):
        scripts = [SimpleNamespace(filename=name) for name in ("_static/mathjax/tex.js", "_static/book.js")]
        mathematics.leave_out(app, "page", "page.html", {"script_files": scripts}, doctree)
        assert len(scripts) == left


def test_a_citation_tells_the_number_of_its_item():
    text = "Item fig-reward of the companion, item fig-other; Item tab-x"
    document = utils.new_document("")
    document += nodes.literal_block(text, text)
    numbers = {"a": {"figure": {"fig-reward": (7,)}, "table": {"tab-y": (1,)}}}
    items.finish_items(SimpleNamespace(env=SimpleNamespace(toc_fignumbers=numbers)), document, "a")
    assert document.astext() == "Figure 7 (fig-reward) of the companion, item fig-other; Item tab-x"


def test_pictures_of_cards_wait_until_they_come_into_view():
    document = utils.new_document("")
    card, figure = nodes.image(uri="a.png", classes=["sd-card-img-top"]), nodes.image(uri="b.png")
    document += [card, figure]
    items.finish_items(SimpleNamespace(env=SimpleNamespace(toc_fignumbers={})), document, "a")
    assert card.get("loading") == "lazy" and "loading" not in figure


def test_the_search_knows_the_text_of_each_section_but_no_code():
    page = """<nav>menu</nav><article><section id="one"><h1>One<a class="headerlink">#</a></h1><p>first</p>
        <details class="hide">code</details><section id="two"><p>second</p></section></section></article>"""
    assert search_texts.texts_of(page) == {"one": "One first", "two": "second"}
    assert search_texts.texts_of("<p>no article</p>") == {}


def notebook(*outputs):
    return {"cells": [{"cell_type": "markdown"}, *({"cell_type": "code", "outputs": one} for one in outputs)]}


def test_a_notebook_counts_as_run_with_its_first_output():
    assert unexecuted.was_run(notebook([], [{"text": "1"}]))
    assert not unexecuted.was_run(notebook([], []))


def test_a_page_that_was_not_run_says_so_and_shows_the_committed_figures(tmp_path):
    for id, chapter in (("fig-here", "reward"), ("fig-there", "walking")):
        (tmp_path / "figures" / id).mkdir(parents=True)
        facts = {"id": id, "chapter": chapter, "alt": "what is seen", "caption": "Message."}
        (tmp_path / "figures" / id / "provenance.json").write_text(json.dumps(facts), encoding="utf-8")
    env = SimpleNamespace(docname="book/reward", doc2path=lambda name: f"{name}.ipynb")
    app = SimpleNamespace(env=env, srcdir=tmp_path)
    document = utils.new_document("")
    document += nodes.section("", nodes.title("", "Reward"), nodes.paragraph("", "text"))

    unexecuted.note_unexecuted(app, "book/reward", [json.dumps(notebook([{"text": "1"}]))])
    unexecuted.tell_the_reader(app, document)
    assert "make book" not in document.astext()

    unexecuted.note_unexecuted(app, "book/reward", [json.dumps(notebook([]))])
    unexecuted.tell_the_reader(app, document)
    section = document[0]
    assert [type(node).__name__ for node in section] == ["title", "warning", "figure", "paragraph"]
    assert "make book" in section[1].astext() and section[2]["ids"] == ["fig-here"]


def test_reference_managers_find_the_book_in_the_head_of_a_page():
    told = {
        "title": 'Plasticity & "spikes"',
        "authors": [{"name": "Maintainers"}, {"family-names": "A", "given-names": "B"}],
    }
    told |= {"date-released": "2026-11-24"}
    found = citation.tags(told)
    assert '<meta name="citation_title" content="Plasticity &amp; &quot;spikes&quot;">' in found
    assert found.count("citation_author") == 2 and 'content="A, B"' in found and 'content="2026/11/24"' in found
    assert "citation_doi" not in found and "citation_public_url" not in found
    assert 'citation_doi" content="10.1/2"' in citation.tags(told | {"doi": "10.1/2"})


def test_the_reference_tells_the_fields_of_a_class_by_the_comments_behind_them():
    from spikepropamine.snn.layers import PlasticState
    from spikepropamine.snn.networks import NetworkOptions, SpikingNetwork

    assert fields.described(PlasticState)["E"] == "(B, Q, P) plastic efficacies, in [−E_max, E_max]"
    assert set(fields.described(PlasticState)) == set(PlasticState._fields)
    lines = ["What it is."]
    fields.add_fields(None, "class", "", NetworkOptions, {}, lines)
    assert lines[0] == "What it is." and r":ivar e_max: bound of \|E\|" in lines
    for what, obj in (("class", SpikingNetwork), ("function", NetworkOptions)):
        lines = ["Other."]
        fields.add_fields(None, what, "", obj, {}, lines)
        assert lines == ["Other."]
