"""Every error that bitwright raises on purpose.

Each message is one line: what was wrong, where, and what to do. The command line prints that line and exits with
the class's `exit_code`: 2 for bad input, 1 for a check that failed.
"""

from __future__ import annotations


class BitwrightError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line returns."""

    exit_code = 2


class InputError(BitwrightError, ValueError):
    """An array or argument of the wrong shape, dtype or range."""


class NetworkFormatError(BitwrightError):
    """A network file that is missing, damaged, edited, of a newer version, or not a network file at all."""


class CheckpointError(BitwrightError):
    """A checkpoint that is missing, damaged, of a newer version, or of another topology."""


class LoweringError(BitwrightError):
    """A PyTorch layer that has no exact integer form; names the layer, the reason and the way out."""

    def __init__(self, layer: str, reason: str, fix: str) -> None:
        super().__init__(f"layer '{layer}': {reason}; {fix}")
        self.layer = layer
        self.reason = reason
        self.fix = fix


class FoldingError(BitwrightError):
    """A folding that cannot be built, or a target that no folding reaches; names the layer."""


class ToolMissingError(BitwrightError):
    """A program or package that is needed and not there; names the fix."""


class OutputError(BitwrightError):
    """A place that cannot be written."""


class SimulationError(BitwrightError):
    """A simulator that failed to build or to run."""

    exit_code = 1


class DeadlockError(SimulationError):
    """A simulation in which nothing moved any more; `stage` is the stage that is stuck."""

    def __init__(self, message: str, stage: str) -> None:
        super().__init__(message)
        self.stage = stage


class MismatchError(BitwrightError):
    """Two forms of a network differ; tells the first place, and in `what` which two forms."""

    exit_code = 1

    def __init__(
        self, frame: int, layer: str, channel: int, expected: int, got: int, count: int, what: str = ""
    ) -> None:
        super().__init__(
            f"frame {frame}, layer '{layer}', channel {channel}: expected {expected}, got {got} "
            f"({count} values differ in all{f'; {what}' if what else ''})"
        )
        self.frame = frame
        self.layer = layer
        self.channel = channel
        self.expected = expected
        self.got = got
        self.count = count


class SynthesisError(BitwrightError):
    """Yosys or nextpnr failed."""

    exit_code = 1


class DoesNotFitError(SynthesisError):
    """The design needs more of a resource than the device has."""

    def __init__(self, device: str, resource: str, used: int, available: int) -> None:
        super().__init__(
            f"does not fit {device}: needs {used} {resource}, it has {available}; "
            "choose a larger device or a higher target_cycles"
        )
        self.device = device
        self.resource = resource
        self.used = used
        self.available = available
