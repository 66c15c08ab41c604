"""Text of the book as LaTeX: what a table or a citation needs to go into somebody's paper as it is."""

import re

# in one pass, so that nothing is escaped twice; the last row would print as something else in LaTeX's first font encoding
_CHARACTERS = str.maketrans({
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "−": "$-$", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "→": r"$\rightarrow$", "≥": r"$\geq$", "≤": r"$\leq$", "√": r"$\surd$", "°": r"$^\circ$", "–": "--", "\N{NO-BREAK SPACE}": "~", "…": r"\dots{}",
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "Δ": r"$\Delta$", "η": r"$\eta$", "θ": r"$\theta$", "ϑ": r"$\vartheta$", "λ": r"$\lambda$", "Σ": r"$\Sigma$", "κ": r"$\kappa$", "ρ": r"$\rho$", "ψ": r"$\psi$", "σ": r"$\sigma$", "τ": r"$\tau$",
    "●": r"$\bullet$", "◐": r"$\odot$", "○": r"$\circ$", "✓": r"$\surd$", "✗": r"$\times$",  # of LaTeX's own, so that a citation asks for no package
    "<": "$<$", ">": "$>$", "|": "$|$",
})  # fmt: skip
_MARKUP = ((r"\*\*(.+?)\*\*", r"\\textbf{\1}"), (r"\*(.+?)\*", r"\\emph{\1}"), (r"`(.+?)`", r"\\texttt{\1}"))
PACKAGES = "% needs \\usepackage{booktabs}\n"


def latex(text: str) -> str:
    """``text``, with Markdown's bold, italic and code, as LaTeX that prints the same."""
    text = text.translate(_CHARACTERS)
    for pattern, command in _MARKUP:
        text = re.sub(pattern, command, text)
    return text
