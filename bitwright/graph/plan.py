"""Each operation's quickest exact method, as steps that read and set the tensors of a chunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bitwright.graph import channelwise, integer_conv
from bitwright.graph.channelwise import ChannelRequant, ChannelThreshold
from bitwright.graph.float_conv import FloatConv
from bitwright.graph.integer_conv import DepthwiseConv, IntegerConv, IntegerConvThreshold, is_depthwise, is_small
from bitwright.graph.matmul import ExactMatmul
from bitwright.graph.operation import Operation
from bitwright.graph.ops import Add, Concat, Conv, Flatten, Linear, MaxPool, Requant, SumPool, Threshold, Upsample
from bitwright.graph.ops.sliding import LONGEST
from bitwright.graph.packed import PackedWeights, Words
from bitwright.graph.packed_conv import PackedConv, PackedConvThreshold, is_packable, packed_flatten, packed_maxpool
from bitwright.graph.packed_layer import PackedLinear, PackedThreshold
from bitwright.graph.steps import FastThreshold, fast_add, fast_maxpool, fast_requant, fast_sumpool
from bitwright.graph.types import IntArray, TensorSpec
from bitwright.graph.values import Step, Values

if TYPE_CHECKING:
    from bitwright.graph.network import Network


def plan(network: Network) -> list[tuple[Step, tuple[str, ...]]]:
    """The steps in order, each with the tensors it reads; a Threshold may be fused into the step before it."""
    steps: list[tuple[Step, tuple[str, ...]]] = []
    fused: set[str] = set()
    for listed in network.operations:
        if listed.name in fused:
            continue
        operation = pointwise(listed, network.spec(listed.inputs[0]))
        threshold = fusable(network, operation)
        step = _fused_step(network, operation, threshold) if threshold is not None else None
        if step is not None and threshold is not None:
            fused.add(threshold.name)
        steps.append((step or _packed_step(network, operation) or _plain_step(network, operation), operation.inputs))
    return steps


def fusable(network: Network, operation: Operation) -> Threshold | None:
    """The bipolar Threshold that alone reads an operation's output, if that is so."""
    readers = network.consumers(operation.output)
    if operation.output in network.outputs or len(readers) != 1:
        return None
    reader = readers[0]
    return reader if isinstance(reader, Threshold) and reader.output_type.kind == "bipolar" else None


def pointwise(operation: Operation, spec: TensorSpec) -> Operation:
    """A Linear on a signal or an image as the Conv that it is; all else as it is."""
    axes = len(spec.shape) - 1
    if not isinstance(operation, Linear) or axes not in (1, 2) or max(spec.shape) > LONGEST:
        return operation
    outputs, inputs = operation.weights.shape
    return Conv(
        name=operation.name,
        inputs=operation.inputs,
        output=operation.output,
        weights=operation.weights.reshape(outputs, *(1,) * axes, inputs),
        weight_type=operation.weight_type,
        bias=operation.bias,
    )


def is_packed(operation: Linear, spec: TensorSpec) -> bool:
    """Whether a Linear can run on packed bits: bipolar vectors against weights of -1, 0, +1."""
    return spec.dtype.kind == "bipolar" and operation.weight_type.kind != "integer"


def _fused_step(network: Network, operation: Operation, threshold: Threshold) -> Step | None:
    """A Linear or Conv and its bipolar Threshold, packed bits out; None where that cannot be."""
    source, target = operation.inputs[0], threshold.output
    spec = network.spec(source)
    if isinstance(operation, Linear) and is_packed(operation, spec):
        linear = PackedThreshold.of(operation, threshold, PackedWeights.of(operation.weights))
        return lambda values: values.set_packed(target, linear(values.packed(source)))
    if not isinstance(operation, Conv):
        return None
    if is_packable(operation, spec):
        packed = PackedConvThreshold.of(PackedConv.of(operation, spec), threshold)
        return lambda values: values.set_packed(target, packed(values.packed(source)))
    library = integer_conv.kernel()
    if library is not None and operation.groups == 1 and is_small(operation, spec):
        conv = IntegerConvThreshold.of(IntegerConv.of(operation, spec, library), threshold)
        return lambda values: values.set_packed(target, conv(values.plain(source)))
    return None


def _packed_step(network: Network, operation: Operation) -> Step | None:
    """A Linear or Conv of packed bits, integers out; None where that cannot be."""
    source, target = operation.inputs[0], operation.output
    spec = network.spec(source)
    method: Callable[[Words], IntArray]
    if isinstance(operation, Linear) and is_packed(operation, spec):
        method = PackedLinear.of(operation, PackedWeights.of(operation.weights))
    elif isinstance(operation, Conv) and is_packable(operation, spec):
        method = PackedConv.of(operation, spec)
    else:
        return None
    return lambda values: values.set_plain(target, method(values.packed(source)))


def _plain_step(network: Network, operation: Operation) -> Step:
    """An operation on integers; one that only moves bits leaves packed ones packed."""
    sources, target = operation.inputs, operation.output
    specs = tuple(network.spec(source) for source in sources)
    method = _method(operation, specs)
    moved = _mover(operation, specs) if network.spec(target).dtype.kind == "bipolar" else None

    def step(values: Values) -> None:
        if moved is not None and all(values.is_packed(source) for source in sources):
            values.set_packed(target, moved(*(values.packed(source) for source in sources)))
        else:
            values.set_plain(target, method(*(values.plain(source) for source in sources)))

    return step


def _method(operation: Operation, specs: tuple[TensorSpec, ...]) -> Callable[..., IntArray]:
    spec = specs[0]
    if isinstance(operation, Linear):
        return ExactMatmul.of(operation, spec.dtype)
    if isinstance(operation, Conv):
        return _conv(operation, spec)
    if isinstance(operation, MaxPool):
        return fast_maxpool(operation, spec)
    if isinstance(operation, SumPool):
        return fast_sumpool(operation, spec)
    if isinstance(operation, Threshold | Requant):
        return _channelwise(operation, spec)
    if isinstance(operation, Add):
        return fast_add(operation, specs)
    return operation.run


def _channelwise(operation: Threshold | Requant, spec: TensorSpec) -> Callable[[IntArray], IntArray]:
    """Vectors are too small for the kernel to matter."""
    library = channelwise.kernel() if len(spec.shape) > 1 else None
    compiled: Callable[[IntArray], IntArray] | None = None
    if isinstance(operation, Threshold):
        compiled = None if library is None else ChannelThreshold.of(operation, spec, library)
        return compiled or FastThreshold.of(operation, spec.dtype)
    compiled = None if library is None else ChannelRequant.of(operation, spec, library)
    return compiled or fast_requant(operation, spec.dtype)


def _conv(operation: Conv, spec: TensorSpec) -> Callable[[IntArray], IntArray]:
    library = integer_conv.kernel()
    if library is None or not is_small(operation, spec):
        return FloatConv.of(operation, spec)
    if is_depthwise(operation):
        return DepthwiseConv.of(operation, spec, library)
    return IntegerConv.of(operation, spec, library)


def _mover(operation: Operation, specs: tuple[TensorSpec, ...]) -> Callable[..., Words] | None:
    """The operation on packed bits, if it only moves them."""
    spec = specs[0]
    if isinstance(operation, MaxPool):
        return lambda images: packed_maxpool(operation, spec, images)
    if isinstance(operation, Flatten):
        return lambda images: packed_flatten(spec, images)
    if isinstance(operation, Upsample):
        return operation.run
    if isinstance(operation, Concat) and all(spec.shape[-1] % 64 == 0 for spec in specs[:-1]):
        return operation.run
    return None
