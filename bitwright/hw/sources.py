"""The Verilog of one design: texts, memory images, and the name of the top module."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bitwright.cache import content_key
from bitwright.errors import OutputError


@dataclass(frozen=True)
class VerilogSources:
    """SystemVerilog texts and `$readmemh` images by file name.

    Memories are read from the folder given by the plusarg `+memories=FOLDER` in simulators (the current folder
    without it), and from the current folder by Yosys. `streams` are files of the same form with the words of weight
    streams: no part of the hardware, but what a host feeds it.
    """

    top: str
    sources: Mapping[str, str]
    memories: Mapping[str, str] = field(default_factory=dict)
    streams: Mapping[str, str] = field(default_factory=dict)

    def key(self, with_memories: bool = True) -> str:
        """A digest of the content; the Verilog alone decides a simulator build, so memories may be left out."""
        parts = [self.top]
        for files in (self.sources, self.memories if with_memories else {}):
            for name in sorted(files):
                parts += [name, files[name]]
        return content_key(*parts)

    def write(self, folder: Path) -> None:
        """Write every file into an existing folder. Raises OutputError."""
        try:
            for name, text in {**self.sources, **self.memories, **self.streams}.items():
                with open(folder / name, "w", encoding="utf-8", newline="\n") as handle:
                    handle.write(text)
        except OSError as error:
            raise OutputError(f"cannot write {folder}: {os.strerror(error.errno or 0)}") from error
