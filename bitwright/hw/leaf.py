"""Blocks that are emitted once and instantiated many times.

Amaranth elaborates every submodule apart; a layer with 64 processing elements would be 64 copies. A leaf is converted
once, whatever the number of its instances, so elaboration and Verilog grow with the kinds of block, not their number.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Const, Elaboratable, Instance, Module, Signal, Value


class Leaf(ABC):
    """A clocked block without reset, known by `name`: leaves of one name are the same block."""

    name: str
    latency: int
    """Cycles from inputs to outputs."""

    @abstractmethod
    def ports(self) -> tuple[dict[str, int], dict[str, int]]:
        """Widths in bits of the inputs and of the outputs, by port name."""

    @abstractmethod
    def logic(self, m: Module, inputs: dict[str, Signal], outputs: dict[str, Signal], emitter: Emitter) -> None:
        """Describe the block."""


class RomUse:
    """One memory image: `words` of `width` bits for `$readmemh`."""

    def __init__(self, name: str, width: int, words: list[int]) -> None:
        self.name = name
        self.width = width
        self.words = words

    @property
    def file(self) -> str:
        """Name of the image file."""
        return f"{self.name}.mem"

    def text(self) -> str:
        """The `$readmemh` image."""
        digits = -(-self.width // 4)
        return "".join(f"{word:0{digits}x}\n" for word in self.words)


class Emitter:
    """Collects leaves, popcounts and memories while a design is elaborated (passed to Amaranth as the platform)."""

    def __init__(self) -> None:
        self.leaves: dict[str, Leaf] = {}
        self.popcounts: set[tuple[str, int]] = set()
        self.roms: dict[str, RomUse] = {}

    def instance(self, m: Module, leaf: Leaf, **inputs: Value) -> dict[str, Signal]:
        """Instantiate a leaf; gives its output signals."""
        self.leaves.setdefault(leaf.name, leaf)
        _, outputs = leaf.ports()
        signals = {port: Signal(width, name=port) for port, width in outputs.items()}
        connections: dict[str, Any] = {f"i_{port}": value for port, value in inputs.items()}
        connections |= {f"o_{port}": signal for port, signal in signals.items()}
        m.submodules += Instance(leaf.name, i_clk=ClockSignal(), **connections)
        return signals

    def popcount(self, m: Module, kind: str, x: Value, w: Value | None = None) -> Signal:
        """The number of ones of x ("plain"), of x xnor w ("xnor") or of x & w ("and"), combinational."""
        bits = len(x)
        self.popcounts.add((kind, bits))
        count = Signal(bits.bit_length(), name="count")
        if kind == "plain":
            m.submodules += Instance(f"popcount_{bits}", i_bits=x, o_count=count)
        else:
            m.submodules += Instance(f"{kind}_popcount_{bits}", i_x=x, i_w=w, o_count=count)
        return count

    def rom(self, m: Module, use: RomUse, address: Value, enable: Value) -> Signal:
        """A read-only memory; the word of `address` is there one cycle later when `enable` was high."""
        self.roms[use.name] = use
        data = Signal(use.width, name=f"{use.name}_word")
        m.submodules += Instance(
            "bitwright_rom",
            p_WIDTH=use.width,
            p_DEPTH=len(use.words),
            p_FILE=use.file,
            i_clk=ClockSignal(),
            i_enable=enable,
            i_address=address if len(use.words) > 1 else Const(0, 1),
            o_data=data,
        )
        return data


class LeafTop(Elaboratable):
    """A leaf as a module of its own, with its ports as attributes."""

    def __init__(self, leaf: Leaf, emitter: Emitter) -> None:
        self.leaf = leaf
        self.emitter = emitter
        inputs, outputs = leaf.ports()
        self.inputs = {name: Signal(width, name=name) for name, width in inputs.items()}
        self.outputs = {name: Signal(width, name=name, reset_less=True) for name, width in outputs.items()}
        self.clk = Signal(name="clk")

    def elaborate(self, platform: object) -> Module:
        """Describe the module: one clock, no reset."""
        m = Module()
        m.domains.sync = domain = ClockDomain("sync", reset_less=True)
        domain.clk = self.clk
        self.leaf.logic(m, self.inputs, self.outputs, self.emitter)
        return m
