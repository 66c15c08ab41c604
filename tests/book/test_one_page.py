import pytest

from spikepropamine.book.one_page import for_print, link_within

IDS = {"document-book/recall", "fig-reward", "the rules"}


@pytest.mark.parametrize(
    ("target", "leads"),
    [
        ("https://example.org/a", "https://example.org/a"),
        ("mailto:a@example.org", "mailto:a@example.org"),
        ("#fig-reward", "#fig-reward"),
        ("../book/recall.html#fig-reward", "#fig-reward"),
        ("recall.html#the%20rules", "#the rules"),
        ("recall.html", "#document-book/recall"),
        ("../book/recall.html#gone", "#document-book/recall"),
        ("#gone", None),
        ("../_downloads/tab-reward/tab-reward.csv", None),
        ("file:///home/somebody/book.html", None),
    ],
)
def test_a_link_leads_into_the_page_or_out_on_the_web(target, leads):
    assert link_within(target, IDS) == leads


def test_what_paper_does_not_have_is_left_out_and_text_remains():
    page = """<body><div class="item-links">Data</div><h1 id="here">Title<a class="headerlink" href="#here">#</a></h1>
        <p>See <a href="../_downloads/x.csv">the data</a> and <a href="b.html#here">above</a>.</p>
        <img src="../_images/a.svg" loading="lazy"><button>Menu</button></body>"""
    made = for_print(page)
    assert 'See the data and <a href="#here">above</a>.' in made
    assert 'src="_images/a.svg"' in made and "lazy" not in made
    assert not any(left in made for left in ("Data</div>", "button", "headerlink"))
