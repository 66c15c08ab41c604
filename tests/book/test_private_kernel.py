import subprocess
import sys

import nbformat


def test_a_notebook_runs_quietly_on_sockets_of_the_file_system(tmp_path):
    cell = "import json\nfrom ipykernel import get_connection_file\nprint(json.load(open(get_connection_file()))['transport'])"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "in.ipynb")
    command = [
        sys.executable,
        "-m",
        "spikepropamine.book.private_kernel",
        "--no-progress-bar",
        "--log-level",
        "WARNING",
    ]
    ran = subprocess.run(
        [*command, "in.ipynb", "out.ipynb"], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8"
    )
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "")
    output = nbformat.read(tmp_path / "out.ipynb", 4).cells[0].outputs[0].text.strip()
    assert output == ("tcp" if sys.platform == "win32" else "ipc")
