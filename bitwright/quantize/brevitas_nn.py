"""`brevitas.nn` as `qnn`, imported without PyTorch's compiler.

Brevitas takes `torch._dynamo.is_compiling` when it is imported, and with it all of that package, which takes longer
than everything else together. That function only calls `torch.compiler.is_compiling`, which needs no import.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace

import torch


def is_compiling() -> bool:
    """What `torch._dynamo.is_compiling` does; a function of its own, so that the compiler traces into it."""
    return torch.compiler.is_compiling()


if "brevitas" in sys.modules or "torch._dynamo" in sys.modules:
    import brevitas.nn as qnn
else:
    vars(torch)["_dynamo"] = SimpleNamespace(is_compiling=is_compiling)
    try:
        import brevitas.nn as qnn
    finally:
        del vars(torch)["_dynamo"]

__all__ = ["qnn"]
