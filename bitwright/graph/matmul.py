"""Integer matrix products by floating-point BLAS where no partial sum can round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.graph.ops import Linear
from bitwright.graph.types import IntArray, IntType

FLOAT32_EXACT = 1 << 24
FLOAT64_EXACT = 1 << 53


def exact_dtype(accumulator: IntType) -> np.dtype[Any]:
    """The quickest dtype in which every integer of the accumulator's interval is exact."""
    reach = max(-accumulator.lo, accumulator.hi)
    if reach <= FLOAT32_EXACT:
        return np.dtype(np.float32)
    return np.dtype(np.float64 if reach <= FLOAT64_EXACT else np.int64)


@dataclass(frozen=True, eq=False)
class ExactMatmul:
    """A Linear as `x @ matrix + bias` in a dtype that holds every subset of its products exactly."""

    matrix: NDArray[Any]
    bias: NDArray[Any] | None
    output: np.dtype[Any]

    @staticmethod
    def of(operation: Linear, input_type: IntType) -> ExactMatmul:
        """Choose the dtype by the accumulator, which covers all partial sums in any order, and the operands."""
        accumulator = operation.accumulator_type(input_type)
        operands = IntType(
            min(accumulator.lo, input_type.lo, operation.weight_type.lo),
            max(accumulator.hi, input_type.hi, operation.weight_type.hi),
        )
        dtype = exact_dtype(operands)
        return ExactMatmul(
            matrix=np.ascontiguousarray(operation.weights.T, dtype=dtype),
            bias=None if operation.bias is None else operation.bias.astype(dtype),
            output=operation.output_type(input_type).numpy,
        )

    def __call__(self, x: IntArray) -> IntArray:
        """(frames, ..., in) to (frames, ..., out)."""
        rows = x.reshape(-1, x.shape[-1]).astype(self.matrix.dtype)
        product: NDArray[Any] = rows @ self.matrix
        if self.bias is not None:
            product += self.bias
        return product.astype(self.output).reshape(*x.shape[:-1], self.matrix.shape[1])
