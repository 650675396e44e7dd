"""The frame around commands, apart from what every stage shows of it."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer
from typer.testing import CliRunner

from project.command import command

ROOT = Path(__file__).parents[2]


def greet(name: str) -> str:
    """A command that needs no parameters."""
    return f"Good morning, {name}."


def test_a_command_without_parameters_has_no_option_for_their_file_and_runs_where_there_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = command(greet, stage=False)
    done = CliRunner().invoke(app, ["Ann"])
    assert (done.exit_code, done.output) == (0, "Good morning, Ann.\n")
    shown = CliRunner().invoke(app, ["--help"]).output
    assert "--debug" in shown
    assert "--params" not in shown


def test_an_interrupt_is_one_sentence():
    """Ctrl-C (C13): no traceback, and not silence either."""

    def interrupted() -> str:
        raise KeyboardInterrupt

    result = CliRunner().invoke(command(interrupted, stage=False), [])
    assert result.exit_code == 130
    assert result.stderr == "Interrupted: what is finished is kept, and the same command resumes.\n"


def test_an_interrupt_while_modules_are_imported_is_the_same_sentence():
    code = "import stages\nraise KeyboardInterrupt"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "Interrupted: what is finished is kept, and the same command resumes.\n"


def test_an_interrupt_ends_a_command_that_waits():
    """polars, once imported, has the system resume what waits."""
    code = (
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import polars, stages, threading\nfrom project.command import prepare_process\n"
        "prepare_process()\nprint('ready', flush=True)\nthreading.Event().wait()"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=20) == 130
        finally:
            process.kill()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 13.4 GiB for an array"),
        MemoryError(),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        OSError("libomp.so: cannot open shared object file: Cannot allocate memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 10 bytes."),
    ],
)
def test_too_little_memory_is_one_sentence(error):
    """P15, P7: each library reports it in its own way."""

    def hungry() -> str:
        raise error

    result = CliRunner().invoke(command(hungry, stage=False), [])
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, str(error) in line) == (1, True)
    assert line.startswith("Error: There is too little memory")
    assert line.endswith("Free some memory and run again: finished work is kept.")


def test_other_errors_are_defects_and_keep_their_traceback():
    def defect() -> str:
        raise RuntimeError("a defect")

    assert isinstance(CliRunner().invoke(command(defect, stage=False), []).exception, RuntimeError)


@pytest.mark.parametrize("arguments", [["--user", "a\udcff"], ["--user", "ann", "--tag", "sea", "--tag", "\udcff"]])
def test_text_that_is_not_utf_8_is_one_sentence(arguments):
    def greet(user: Annotated[str, typer.Option()], tag: Annotated[list[str] | None, typer.Option()] = None) -> str:
        raise RuntimeError(user, tag)

    done = CliRunner().invoke(command(greet, stage=False), arguments)
    assert (done.exit_code, done.stderr) == (
        1,
        f"Error: {arguments[-1]!r} is not UTF-8: type it again, or set a locale that is, such as LC_ALL=C.UTF-8.\n",
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([""], "An argument"),
        (["a", ""], "An argument"),
        (["a", "--into", ""], "--into"),
        (["a", "--into="], "--into"),
        (["a", "--params", ""], "--params"),
    ],
)
def test_an_empty_argument_is_refused(arguments, named):
    """A path would take it for the current folder: a variable of the shell that is not set."""

    def move(files: Annotated[list[Path], typer.Argument()], file: Path, into: Path | None = None) -> str:
        raise RuntimeError(files, file, into)

    done = CliRunner().invoke(command(move, stage=False), arguments)
    assert done.exit_code == 2
    assert done.stderr.endswith(f"Error: {named} is empty: give it a value, or leave it out.\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--top", "1e9"], "Invalid value for '--top' (env var: 'TOP'): '1e9'; it must be a whole number."),
        (["--top", "0"], "Invalid value for '--top' (env var: 'TOP'): '0'; it must be at least 1."),
        (["--form", "x"], "Invalid value for '--form': 'x' is not one of 'a', 'b'."),
        ([], "Invalid value for '--top' (env var: 'TOP'): 'many'; it must be a whole number."),
    ],
)
def test_values_that_are_refused_have_plain_words(arguments, words):
    def greet(
        top: Annotated[int, typer.Option(min=1, envvar="TOP")] = 1,
        form: Annotated[Literal["a", "b"], typer.Option()] = "a",
    ) -> str:
        raise RuntimeError(top, form)

    environment = {} if "--form" in arguments else {"TOP": "many"}
    done = CliRunner().invoke(command(greet, stage=False), arguments, env=environment)
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == f"Error: {words}"


def test_too_little_memory_while_modules_are_imported_is_the_same_sentence():
    code = "import stages\nraise ImportError('libtorch_cpu.so: failed to map segment from shared object')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: There is too little memory (libtorch_cpu.so")


def test_figures_are_drawn_in_a_notebook():
    """P23: it sets a backend of its own, with which the import of matplotlib failed in the last stage."""
    code = "from project.command import prepare_process; prepare_process(); import pipeline.report.figures"
    environment = os.environ | {"MPLBACKEND": "module://not_installed.backend"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)


def test_letters_that_the_terminal_cannot_show_are_escaped():
    """P30: the features were written, but the × in the closing line raised a traceback."""
    code = "from project.command import prepare_process; prepare_process(); print('5 × 512')"
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert done.stdout == b"5 \\xd7 512\n"


def test_a_reader_who_leaves_is_no_error():
    code = (
        "from project.command import command\n"
        "def main():\n    for number in range(100_000):\n        print(number)\n"
        "command(main, stage=False)()"
    )
    piped = f"{sys.executable} -c '{code}' | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {piped}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)


def test_closed_streams_take_nothing_and_no_file_gets_their_numbers(tmp_path):
    """As daemons close them: what a library prints must not get into a file."""
    code = (
        "import os\nfrom project.command import command\n"
        "def main():\n    print('lost')\n    open('made', 'w').close()\n    os.write(1, b'C'), os.write(2, b'C')\n"
        "    file = open('made', 'w')\n    file.write(str(file.fileno() > 2))\n    file.close()\n    return 'done'\n"
        "command(main, stage=False)()"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    closed = f'{sys.executable} -c "{code}" <&- >&- 2>&-'
    done = subprocess.run(["bash", "-c", closed], cwd=tmp_path, env=environment, check=False)
    assert (done.returncode, (tmp_path / "made").read_text()) == (0, "True")
