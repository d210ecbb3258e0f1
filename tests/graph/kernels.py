"""Each C++ kernel for this processor, without vector instructions, and not at all."""

from __future__ import annotations

import ctypes
from types import ModuleType

import pytest

from bitwright import native
from bitwright.graph import channelwise, integer_conv, packed

WAYS = ("vectors", "words", "numpy")
"""The kernel for this processor, the kernel without any vector instructions, and no kernel at all."""

EACH = pytest.mark.parametrize("way", WAYS)


def _kernel(module: ModuleType, way: str) -> ctypes.CDLL | None:
    if way == "numpy":
        return None
    result: ctypes.CDLL | None
    if way == "words":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(native, "FLAGS", tuple(flag for flag in native.FLAGS if flag != "-march=native"))
            patch.setattr(module, "load_kernel", native.load_kernel.__wrapped__)
            result = module.kernel.__wrapped__()
    else:
        result = module.kernel()
    return result


MODULES = (packed, integer_conv, channelwise)
KERNELS = {module.__name__: {way: _kernel(module, way) for way in WAYS} for module in MODULES}


def use(patch: pytest.MonkeyPatch, way: str) -> None:
    """Make all modules use one kind of kernel."""
    for module in MODULES:
        library = KERNELS[module.__name__][way]
        patch.setattr(module, "kernel", lambda library=library: library)
