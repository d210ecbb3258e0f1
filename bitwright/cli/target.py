"""From a command's options to a folding and to stalls."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bitwright.errors import FoldingError

if TYPE_CHECKING:
    from bitwright.design import Design
    from bitwright.graph import Network
    from bitwright.sim import Stalls


@dataclass(frozen=True)
class Target:
    """How fast a design shall be: cycles a frame, frames a second at a clock, or a folding from a JSON file.

    With a device it shall fit that device too; without any speed it is then the fastest that fits.
    """

    cycles: int | None
    fps: float | None
    clock_mhz: float
    file: Path | None
    device: str | None = None

    def build(self, network: Network) -> Design:
        """The design. Raises FoldingError when the options contradict each other or cannot be met."""
        from bitwright.design import build, fold
        from bitwright.hw import Folding

        if sum(option is not None for option in (self.cycles, self.fps, self.file)) > 1:
            raise FoldingError("--target-cycles, --target-fps and --folding exclude each other; give one of them")
        if self.file is not None and self.device is not None:
            raise FoldingError("--folding and --device exclude each other: the file says it all; give one of them")
        if self.file is not None:
            return build(network, Folding.from_json(_text(self.file)))
        if self.fps is None and self.cycles is None and self.device is None:
            return build(network)
        return build(
            network,
            fold(
                network,
                target_cycles=self.cycles,
                target_fps=self.fps,
                clock_mhz=self.clock_mhz,
                device=self.device,
            ),
        )


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FoldingError(f"cannot read the folding {file} ({error}); check the path") from error


def make_stalls(seed: int | None) -> Stalls | None:
    """Random stalls on both sides, a cycle each in the mean; none without a seed."""
    from bitwright.sim import Stalls

    return None if seed is None else Stalls(seed, input_gap=1.0, output_gap=1.0)
