"""Sphinx: a directive ``film``, a video with controls above a text that tells what is seen.

:::{film} results/gait/film-lame-leg.mp4
Three walkers with a lame leg, from left to right ...
:::
"""

import posixpath

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.addnodes import download_reference


class film(nodes.General, nodes.Element):
    """A video file; the text that follows it tells what it shows."""


class Film(Directive):
    """``film``: the path of an MP4 file from the page, and the text."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self):
        path = self.arguments[0]
        text = nodes.container(classes=["film-text"])
        self.state.nested_parse(self.content, self.content_offset, text)
        # Sphinx copies what a page offers for download; finish_film turns the first into the player
        offered = download_reference("", "Download", reftarget=path, refdoc="", reftype="download", refdomain="")
        return [nodes.container("", film("", offered), text, classes=["film"])]


def visit_film(self, node):
    file = posixpath.join(self.builder.dlpath, node[0].get("filename", ""))
    # the fragment shows a picture of the film before it is played, where there would be a black box
    self.body.append(
        f'<video controls preload="metadata" muted playsinline src="{file}#t=0.1" aria-label="Film; the text below tells what it shows">'
    )


def depart_film(self, node):
    self.body.append("</video>")


def setup(app):
    app.add_node(film, html=(visit_film, depart_film))  # which serve the one page as well
    app.add_directive("film", Film)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
