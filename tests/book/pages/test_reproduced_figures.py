import json

from spikepropamine.book.pages import reproduced_figures as page
from spikepropamine.records.atomic import write_json


def item(root, id, chapter, caption="A message. More words.", **more):
    folder = root / "figures" / id
    folder.mkdir(parents=True)
    facts = {"id": id, "chapter": chapter, "caption": caption} | more
    write_json(folder / "provenance.json", facts)
    return folder


def test_every_item_has_a_card_on_the_section_of_its_chapter(tmp_path):
    (tmp_path / "_toc.yml").write_text("chapters:\n- file: book/recall\n- file: book/empty\n", encoding="utf-8")
    item(tmp_path, "fig-index-one", "index", alt="A line\nthat rises.")
    folder = item(tmp_path, "tab-recall", "recall")
    rows = ["A message.", "", "| a | b | c | d |", "|:--|:--|:--|:--|"] + [
        f"| [x{k}](#claim-1) | 1 | 2 | 3 |" for k in range(9)
    ]
    (folder / "table.md").write_text("\n".join(rows), encoding="utf-8")
    text = page.gallery(tmp_path).data
    first, second = text.split("(gallery-recall)=\n## [](/book/recall)")
    assert first.startswith(
        "[index](#gallery-index) · [recall](#gallery-recall)\n\n(gallery-index)=\n## [](/book/index)"
    )
    assert "empty" not in text
    assert "{numref}`fig-index-one`" in first and ":img-alt: A line that rises." in first and "A message.\n:::" in first
    assert "| x0 | 1 | 3 |" in second and "x3" not in second and "claim-1" not in second and "| 2 |" not in second


def test_the_message_is_the_first_sentence_of_a_caption():
    assert page.message("Plastic networks solve it. Dashed: 0.95.") == "Plastic networks solve it."
    assert page.message("Most of the walk is kept: return of every policy. Dots: seeds.") == "Most of the walk is kept."
    assert page.message("The network: inputs reach the readout. β is 0.8.") == "The network: inputs reach the readout."
    assert page.message("Accuracy reaches 0.95 of 1. Dotted: chance.") == "Accuracy reaches 0.95 of 1."


def test_of_brackets_only_short_ones_with_numbers_stay():
    assert (
        page.message("Most of E stays over the delay (of all of E: gru (no E) 3%)") == "Most of E stays over the delay."
    )
    assert page.message("It grows (0.94) with ticks (as drawn).") == "It grows (0.94) with ticks."
    kept = "Networks lose most on cues (accuracy: 0.50. Recall: 0.91), while noise does not: means over seeds. Dots: seeds."
    assert page.message(kept) == "Networks lose most on cues, while noise does not."
    assert page.message("What tanh(x: y) is drawn for. More.") == "What tanh(x: y) is drawn for."


def test_items_stand_in_the_order_of_their_page(tmp_path):
    (tmp_path / "_toc.yml").write_text("chapters:\n- file: book/recall\n", encoding="utf-8")
    for name in ("fig-a", "fig-b", "fig-c"):
        item(tmp_path, name, "recall", alt="x")
    (tmp_path / "book").mkdir()
    source = ['{numref}`fig-a` "fig-b-stored", "fig-c", then "fig-a", "fig-b"']
    notebook = {"cells": [{"source": ["# Recall\n"]}, {"source": source, "outputs": [{"text": '"fig-b"'}]}]}
    (tmp_path / "book" / "recall.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    text = page.gallery(tmp_path).data
    assert text.startswith("[Recall](#gallery-recall)")
    assert text.index("fig-c") < text.index("fig-a") < text.index("fig-b")


def test_a_book_without_figures_says_so(tmp_path):
    (tmp_path / "_toc.yml").write_text("chapters: []\n", encoding="utf-8")
    assert page.gallery(tmp_path).data == "No figure has been made here yet."
