"""Which operations share one stage."""

from __future__ import annotations

from bitwright.graph import Flatten, Linear, Network, Operation, Requant, Threshold


def follower(network: Network, op: Operation) -> Threshold | Requant | None:
    """The Threshold or Requant that alone reads a Linear's output, and so joins its stage; None otherwise."""
    if not isinstance(op, Linear) or op.output in network.outputs:
        return None
    readers = network.consumers(op.output)
    if len(readers) == 1 and isinstance(readers[0], Threshold | Requant):
        return readers[0]
    return None


def staged(network: Network) -> list[tuple[Operation, Operation]]:
    """The operations that get a stage, each with the last operation of its stage (often itself), in order.

    Flatten moves nothing in a stream and has none.
    """
    joined = {after.name for op in network.operations if (after := follower(network, op)) is not None}
    return [
        (op, follower(network, op) or op)
        for op in network.operations
        if not isinstance(op, Flatten) and op.name not in joined
    ]


def stream_names(network: Network) -> dict[str, str]:
    """For every tensor the one whose stream carries it: itself, or what Flatten reshaped."""
    names = {tensor: tensor for tensor in network.specs}
    for op in network.operations:
        if isinstance(op, Flatten):
            names[op.output] = names[op.inputs[0]]
    return names
