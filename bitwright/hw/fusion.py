"""Which operations share one stage."""

from __future__ import annotations

from bitwright.graph import Conv, Flatten, Linear, Network, Operation, Requant, Reshape, Threshold


def follower(network: Network, op: Operation) -> Threshold | Requant | None:
    """The Threshold or Requant that alone reads what a Linear or Conv gives, and so joins its stage, or None."""
    if not isinstance(op, Linear | Conv) or op.output in network.outputs:
        return None
    readers = network.consumers(op.output)
    if len(readers) == 1 and isinstance(readers[0], Threshold | Requant):
        return readers[0]
    return None


def staged(network: Network) -> list[tuple[Operation, Operation]]:
    """The operations that get a stage, each with the last operation of its stage (often itself), in order.

    Flatten and Reshape move nothing in a stream and have none.
    """
    joined = {after.name for op in network.operations if (after := follower(network, op)) is not None}
    return [
        (op, follower(network, op) or op)
        for op in network.operations
        if not isinstance(op, Flatten | Reshape) and op.name not in joined
    ]


def stream_names(network: Network) -> dict[str, str]:
    """For every tensor the one whose stream carries it: itself, or what was reshaped."""
    names = {tensor: tensor for tensor in network.specs}
    for op in network.operations:
        if isinstance(op, Flatten | Reshape):
            names[op.output] = names[op.inputs[0]]
    return names
