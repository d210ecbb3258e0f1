"""Kernels are compiled anew when their source or a header of theirs changes, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitwright import native


def test_headers_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITWRIGHT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "answer.h").write_text("#pragma once\nconstexpr int ANSWER = 41;\n")
    source = tmp_path / "kernel.cpp"
    source.write_text('#include "answer.h"\nextern "C" int answer() { return ANSWER; }\n')
    load = native.load_kernel.__wrapped__
    first = load(source)
    assert first.answer() == 41
    assert load(source)._name == first._name
    (tmp_path / "answer.h").write_text("#pragma once\nconstexpr int ANSWER = 42;\n")
    assert load(source).answer() == 42
