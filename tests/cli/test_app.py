"""The frame of the command line: help, errors in one line, exit codes, one JSON document."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bitwright.cli import app as app_module
from bitwright.cli.answer import answer
from bitwright.errors import MismatchError
from tests.cli.conftest import Run

COMMANDS = ("doctor", "train", "compile", "simulate", "verify", "energy", "synth", "compare", "report", "demo", "bench")


def test_help_names_every_command(run: Run) -> None:
    outcome = run("--help")
    assert outcome.code == 0
    assert all(f" {command} " in outcome.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_and_json(run: Run, command: str) -> None:
    outcome = run(command, "--help")
    assert outcome.code == 0
    assert "--json" in outcome.out


def test_no_words_print_the_help(run: Run) -> None:
    outcome = run()
    assert outcome.code == 2
    assert "Usage: bitwright" in outcome.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["compile"], "Missing argument"),
        (["compile", "x.bwn", "-o", "out", "--target-cycles", "many"], "Invalid value for '--target-cycles'"),
        (["compile", "x.bwn", "-o", "out", "--nonsense"], "No such option"),
        (["compile", "missing.bwn", "-o", "out"], "cannot read network file 'missing.bwn'"),
        (["bench", "nothing"], "no benchmark is called 'nothing'; there are"),
    ],
)
def test_bad_words_are_one_line_and_exit_2(run: Run, words: list[str], message: str) -> None:
    outcome = run(*words)
    assert outcome.code == 2
    assert outcome.out == ""
    (line,) = outcome.err.splitlines()
    assert line.startswith("bitwright: error: ")
    assert message in line


def test_an_error_with_json_is_one_document(run: Run) -> None:
    outcome = run("compile", "missing.bwn", "-o", "out", "--json")
    assert outcome.code == 2
    assert outcome.json["error"] == "NetworkFormatError"
    assert "missing.bwn" in outcome.json["message"]
    assert len(outcome.err.splitlines()) == 1


def test_a_failed_check_exits_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def differs(**_: object) -> None:
        raise MismatchError(frame=3, layer="fc1", channel=2, expected=5, got=4, count=1)

    monkeypatch.setattr(app_module, "app", differs)
    outcome = run("verify", "x.bwn")
    assert outcome.code == 1
    assert outcome.err == (
        "bitwright: error: frame 3, layer 'fc1', channel 2: expected 5, got 4 (1 values differ in all)\n"
    )


def test_chatter_does_not_reach_stdout_with_json(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def chatters(**_: object) -> None:
        print("from Python")
        os.system("echo from a child")
        os.write(1, b"from C\n")
        answer({"value": 1}, "", as_json=True)

    monkeypatch.setattr(app_module, "app", chatters)
    outcome = run("energy", "x.bwn", "--json")
    assert outcome.json == {"value": 1}
    assert {"from Python", "from a child", "from C"} <= set(outcome.err.splitlines())


def test_ctrl_c_exits_130_and_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, time\nfrom pathlib import Path\nimport bitwright.delivery as delivery\n"
        "from tests.cli.conftest import small_network\nsmall_network().save('small.bwn')\n"
        "def interrupted(*_):\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(60)\n"
        "delivery.manifest = interrupted\n"
        "from bitwright.cli import main\nsys.exit(main(['compile', 'small.bwn', '-o', 'out']))\n"
    )
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 128 + signal.SIGINT
    assert done.stderr.splitlines()[-1] == "bitwright: interrupted; nothing half-written was left"
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.bwn"]
