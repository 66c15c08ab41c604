"""Sphinx: the script that sets formulas (1 MB) is loaded by pages that have formulas, and by no others."""

from docutils import nodes


def has_formulas(doctree) -> bool:
    """Whether a page has a formula."""
    return doctree is not None and any(doctree.findall(lambda n: isinstance(n, (nodes.math, nodes.math_block))))


def leave_out(app, pagename, templatename, context, doctree):
    """Take the script from the list of a page without formulas; one page that holds the whole book keeps it."""
    if app.builder.name == "html" and not has_formulas(doctree):
        scripts = context["script_files"]
        scripts[:] = [script for script in scripts if app.config.mathjax_path not in str(script.filename)]


def setup(app):
    app.connect("html-page-context", leave_out, priority=900)  # after the script was added
    return {"parallel_read_safe": True, "parallel_write_safe": True}
