"""Papermill, with a kernel that listens on sockets in a folder of its own instead of on the network.

``python -m spikepropamine.book.private_kernel`` takes what ``papermill`` takes. A kernel on the network, even this machine's
own, sends code and outputs in plain text, and warns of it each time it starts.
"""

import sys
import tempfile
from pathlib import Path

from papermill.__main__ import papermill
from papermill.engines import NBClientEngine, papermill_engines
from traitlets.config import Config

NAME = "private"


class PrivateEngine(NBClientEngine):
    """Papermill's own engine on sockets of the file system; on Windows, which has none, as it was."""

    @classmethod
    def execute_managed_notebook(cls, *args, **options):
        """Run a notebook; see papermill."""
        if sys.platform == "win32":
            return super().execute_managed_notebook(*args, **options)
        with tempfile.TemporaryDirectory() as folder:
            sockets = {"transport": "ipc", "ip": str(Path(folder) / "kernel")}
            # a kernel that is told to end may log the interrupt as an error; what fails in a cell is raised all the same
            quiet = {"extra_arguments": ["--IPKernelApp.log_level=CRITICAL"]}
            config = Config({"KernelManager": sockets, "NotebookClient": quiet})
            return super().execute_managed_notebook(*args, config=config, **options)


if __name__ == "__main__":
    papermill_engines.register(NAME, PrivateEngine)
    papermill(["--engine", NAME, *sys.argv[1:]])
