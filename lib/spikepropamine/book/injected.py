"""What papermill does to a notebook: names that are none of its parameters are refused, and a page may end early."""

import ast

from IPython import get_ipython

from ..checks import require_choice
from ..experiments.sweeps import end_with_parent


def check_given(known: tuple[str, ...]) -> None:
    """Refuse a parameter given by papermill that is not one of ``known``.

    Raises:
        ValueError: naming the parameter and the known ones.
    """
    for name in given():
        require_choice("parameter", name, known)


def given() -> list[str]:
    """The names in the cell that papermill put into the notebook that runs here; none outside of a notebook."""
    shell = get_ipython()
    cells = [] if shell is None else shell.user_ns.get("In", [])
    return [
        target.id
        for cell in cells
        if cell.startswith("# Parameters\n")
        for statement in ast.parse(cell).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    ]


def end_with_papermill() -> None:
    """In a notebook's kernel: end, and with it all workers, when the program that runs the notebook has ended."""
    if get_ipython() is not None and hasattr(get_ipython(), "kernel"):
        end_with_parent()


def skip_what_follows() -> None:
    """In a notebook: let every later code cell do nothing. It is the page's end, and no error."""
    shell = get_ipython()
    if shell is not None:
        shell.ast_transformers.append(_Nothing())


class _Nothing(ast.NodeTransformer):
    """A cell without statements in place of any other."""

    def visit_Module(self, node: ast.Module) -> ast.Module:
        return ast.Module(body=[], type_ignores=[])
