"""The synapse to play with on the page of the rules: its place and its values; ``book/_static/synapse.js`` does the arithmetic."""

import json

from IPython.display import Markdown

from ..snn.networks import NetworkOptions


def synapse(options: NetworkOptions) -> Markdown:
    """Where the page's script puts the controls, which start at the values of ``options``; a sentence where scripts are off."""
    names = ("eta_oja", "eta_bcm", "e_max", "dt", "tau_trace", "tau_theta")
    values = json.dumps({name: getattr(options, name) for name in names})
    return Markdown(
        f'<div class="synapse">\n<script type="application/json">{values}</script>\n'
        "<p>With JavaScript, a synapse to play with stands here; the figure below shows the same.</p>\n</div>"
    )
