import os
import time
from pathlib import Path

import pytest

from bitwright.errors import InputError, SynthesisError
from bitwright.synth.process import Deadline, error_line, run_python


def run(code: str, folder: Path, timeout_s: float = 60) -> int:
    deadline = Deadline(timeout_s)
    return run_python(code, ["one", "two"], tool="the tool", folder=folder, log=folder / "log", deadline=deadline)


def gone(process: int) -> bool:
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_status_output_and_arguments_come_back(tmp_path: Path) -> None:
    code = "import sys\nprint(sys.argv[1:])\nprint('ERROR: no', file=sys.stderr)\nprint('bye')\nsys.exit(3)"
    assert run(code, tmp_path) == 3
    assert "['one', 'two']" in (tmp_path / "log").read_text()
    assert error_line(tmp_path / "log") == "ERROR: no"


def test_it_runs_in_its_folder_and_never_imports_from_it(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    assert run("import json, os, sys\nsys.exit(os.getcwd() != sys.argv[1] and not json)", tmp_path) == 0


def test_a_tool_out_of_time_is_killed_with_its_children(tmp_path: Path) -> None:
    code = (
        "import os, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '300'])\n"
        "open('pids', 'w').write(f'{os.getpid()} {child.pid}')\n"
        "time.sleep(300)"
    )
    with pytest.raises(SynthesisError, match=r"the tool did not finish within timeout_s=3; allow more time"):
        run(code, tmp_path, 3)
    for process in map(int, (tmp_path / "pids").read_text().split()):
        for _ in range(200):
            if gone(process):
                break
            time.sleep(0.02)
        assert gone(process)


def test_a_killed_tool_is_told(tmp_path: Path) -> None:
    with pytest.raises(SynthesisError, match="the tool was killed, most likely for want of memory"):
        run("import os\nos.kill(os.getpid(), 9)", tmp_path)


def test_a_time_limit_must_be_positive() -> None:
    for value in (0, -1, float("nan")):
        with pytest.raises(InputError, match="timeout_s must be above 0"):
            Deadline(value)


def test_an_empty_log_still_gives_a_line(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("")
    assert error_line(tmp_path / "log") == "it left no output"
    assert os.listdir(tmp_path) == ["log"]
