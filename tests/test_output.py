"""Folders and files appear whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bitwright.errors import OutputError
from bitwright.output import new_folder, write_file


def _fill(folder: Path, text: str) -> None:
    with new_folder(folder, owned="manifest.json") as scratch:
        (scratch / "manifest.json").write_text(text)


def _visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["out", "with space", "größe-出力", "a/b/c"])
def test_folder_is_made_and_replaced(tmp_path: Path, name: str) -> None:
    for text in ("first", "second"):
        _fill(tmp_path / name, text)
        assert (tmp_path / name / "manifest.json").read_text() == text
    assert _visible((tmp_path / name).parent) == [Path(name).name]
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o777 & ~_mask()


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _interrupted(folder: Path) -> None:
    with new_folder(folder, owned="manifest.json") as scratch:
        (scratch / "manifest.json").write_text("half")
        raise KeyboardInterrupt


def test_an_error_leaves_the_old_folder_and_no_scraps(tmp_path: Path) -> None:
    _fill(tmp_path / "out", "old")
    with pytest.raises(KeyboardInterrupt):
        _interrupted(tmp_path / "out")
    assert _visible(tmp_path) == ["out"]
    assert (tmp_path / "out" / "manifest.json").read_text() == "old"


def test_a_foreign_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match=r"holds other files \(no manifest\.json\); choose a new or empty folder"):
        _fill(tmp_path / "out", "new")
    assert _visible(tmp_path) == ["out"]
    assert _visible(tmp_path / "out") == ["thesis.tex"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    _fill(tmp_path / "out", "new")
    assert _visible(tmp_path / "out") == ["manifest.json"]


def test_a_file_in_the_way_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file; name a folder"):
        _fill(tmp_path / "file", "new")
    with pytest.raises(OutputError, match="choose a folder that can be written"):
        _fill(tmp_path / "file" / "out", "new")
    with pytest.raises(OutputError, match="choose a place that can be written"):
        write_file(tmp_path / "file" / "page.html", "new")
    with pytest.raises(OutputError, match="choose a place that can be written"):
        write_file(tmp_path, "new")
    assert _visible(tmp_path) == ["file"]


def test_write_file_replaces_whole_files(tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "page.html"
    write_file(target, "one")
    write_file(target, b"two")
    assert target.read_bytes() == b"two"
    assert _visible(target.parent) == ["page.html"]


def test_kill_leaves_the_old_folder_whole(tmp_path: Path) -> None:
    _fill(tmp_path / "out", "old")
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom bitwright.output import new_folder\n"
        f"with new_folder(Path({str(tmp_path / 'out')!r}), owned='manifest.json') as scratch:\n"
        "    (scratch / 'manifest.json').write_text('half')\n    print('inside', flush=True)\n    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "inside\n"
        process.send_signal(signal.SIGKILL)
    assert (tmp_path / "out" / "manifest.json").read_text() == "old"
    assert len(_visible(tmp_path)) == 2
    _fill(tmp_path / "out", "new")
    assert (tmp_path / "out" / "manifest.json").read_text() == "new"
    assert _visible(tmp_path) == ["out"]
