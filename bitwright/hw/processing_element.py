"""The processing element of a matrix-vector unit: SIMD products a cycle, summed into one accumulator."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Module, Mux, Signal, Value

from bitwright.graph import IntType
from bitwright.hw.adder_tree import adder_tree, adder_tree_latency
from bitwright.hw.leaf import Emitter, Leaf
from bitwright.hw.product import Product

MAX_POPCOUNT = 18
"""Bits counted in one cycle, what keeps an ECP5 -6 above 100 MHz; more are counted in pieces, added in later cycles."""


def scaled(value: Value, coefficient: int) -> tuple[Value, int]:
    """`value` times plus or minus a power of two, as an operand of an adder tree: a sign and a shift."""
    return (-value if coefficient < 0 else value, abs(coefficient).bit_length() - 1)


def type_word(dtype: IntType) -> str:
    """An operand type in a module's name: bits and sign, or the kind."""
    return f"{dtype.width}{'s' if dtype.signed else 'u'}" if dtype.kind == "integer" else dtype.kind


def chunks(simd: int) -> list[tuple[int, int]]:
    """Start and end of the pieces of about the same length whose popcounts fit one clock cycle."""
    pieces = -(-simd // MAX_POPCOUNT)
    borders = [simd * piece // pieces for piece in range(pieces + 1)]
    return list(pairwise(borders))


def registered(m: Module, count: Signal) -> Signal:
    """`count` one cycle later."""
    held = Signal(len(count), name="count_registered", reset_less=True)
    m.d.sync += held.eq(count)
    return held


class ProcessingElement(Leaf):
    """Adds one beat's products to the accumulator.

    Inputs `x` and `w` are a beat's operands; `valid` and `first` belong to the beat `dot_latency` cycles older, as
    does `centre`, the sum of that beat's inputs (bipolar weights on a multi-bit input only). `sum` is the accumulator,
    one cycle after `valid`::

        cycle                0        1             1 + tree
        x, w                 beat
        popcounts/products            registered
        valid, first, centre                        this beat's
        sum                                         one cycle later: (first ? 0 : sum) + dot
    """

    def __init__(self, product: Product, simd: int) -> None:
        self.product = product
        self.simd = simd
        register = product.accumulator.register
        self.name = "_".join(
            str(part).replace("-", "m")
            for part in (
                "pe",
                product.kind,
                type_word(product.weight_type),
                type_word(product.input_type),
                simd,
                register.width,
                "s" if register.signed else "u",
            )
        )
        if product.kind == "multiply":
            terms = simd
        elif product.kind == "planes":
            terms = len(product.weight_planes) * len(product.input_planes) * len(chunks(simd))
        else:
            terms = len(chunks(simd))
        self.dot_latency = 1 + adder_tree_latency(terms)
        self.latency = self.dot_latency + 1

    @property
    def x_width(self) -> int:
        """Bits of the input operand."""
        return self.simd * self.product.input_type.width

    @property
    def w_width(self) -> int:
        """Bits of the weight operand."""
        return self.simd * self.product.weight_bits

    def ports(self) -> tuple[dict[str, int], dict[str, int]]:
        """Inputs x, w, valid, first (and centre); output sum."""
        inputs = {"x": self.x_width, "w": self.w_width, "valid": 1, "first": 1}
        if self.product.centred:
            inputs["centre"] = centre_width(self.product, self.simd)
        return inputs, {"sum": self.product.accumulator.register.width}

    def logic(self, m: Module, inputs: dict[str, Signal], outputs: dict[str, Signal], emitter: Emitter) -> None:
        """Describe the element."""
        register = self.product.accumulator.register
        dot = self._dot(m, inputs["x"], inputs["w"], emitter)
        if self.product.centred:
            dot = (dot << 1) - inputs["centre"].as_signed()
        total = outputs["sum"]
        held = total.as_signed() if register.signed else total
        with m.If(inputs["valid"]):
            m.d.sync += total.eq(Mux(inputs["first"], 0, held) + dot)

    def _dot(self, m: Module, x: Signal, w: Signal, emitter: Emitter) -> Value:
        product, simd = self.product, self.simd
        if product.kind == "multiply":
            return adder_tree(m, self._products(m, x, w))
        terms: list[Value | tuple[Value, int]] = []
        for start, end in chunks(simd):
            if product.kind == "xnor":
                terms.append(registered(m, emitter.popcount(m, "xnor", x[start:end], w[start:end])))
            elif product.kind == "masked_xnor":
                agreeing = Signal(end - start, name=f"agreeing_{start}")
                m.d.comb += agreeing.eq(~(x[start:end] ^ w[simd + start : simd + end]) & w[start:end])
                terms.append(registered(m, emitter.popcount(m, "plain", agreeing)))
            else:
                terms += self._plane_pairs(m, x, w, emitter, start, end)
        return adder_tree(m, terms)

    def _plane_pairs(
        self, m: Module, x: Signal, w: Signal, emitter: Emitter, start: int, end: int
    ) -> list[tuple[Value, int]]:
        terms = []
        for n, weight_coefficient in enumerate(self.product.weight_planes):
            for k, input_coefficient in enumerate(self.product.input_planes):
                input_plane, weight_plane = x[k * self.simd :][start:end], w[n * self.simd :][start:end]
                count = registered(m, emitter.popcount(m, "and", input_plane, weight_plane))
                terms.append(scaled(count, weight_coefficient * input_coefficient))
        return terms

    def _products(self, m: Module, x: Signal, w: Signal) -> list[Value]:
        input_type, weight_type = self.product.input_type, self.product.weight_type
        products: list[Value] = []
        for lane in range(self.simd):
            a: Value = x.word_select(lane, input_type.width)
            b: Value = w.word_select(lane, weight_type.width)
            value = (a.as_signed() if input_type.signed else a) * (b.as_signed() if weight_type.signed else b)
            held = Signal(value.shape(), name=f"product_{lane}", reset_less=True)
            m.d.sync += held.eq(value)
            products.append(held)
        return products


def centre_width(product: Product, simd: int) -> int:
    """Bits, in two's complement, of the sum of a beat's inputs."""
    largest = max(abs(product.input_type.lo), abs(product.input_type.hi)) * simd
    return largest.bit_length() + 1


class InputSum(Leaf):
    """The sum of a beat's inputs from their bit planes, in step with the processing elements' dot products."""

    def __init__(self, product: Product, simd: int) -> None:
        self.product = product
        self.simd = simd
        self.name = f"input_sum_{type_word(product.input_type)}_{simd}"
        self.latency = 1 + adder_tree_latency(len(product.input_planes) * len(chunks(simd)))

    def ports(self) -> tuple[dict[str, int], dict[str, int]]:
        """Input x (planes), output sum in two's complement."""
        return {"x": self.simd * len(self.product.input_planes)}, {"sum": centre_width(self.product, self.simd)}

    def logic(self, m: Module, inputs: dict[str, Signal], outputs: dict[str, Signal], emitter: Emitter) -> None:
        """Describe the sum."""
        terms: list[Value | tuple[Value, int]] = []
        for start, end in chunks(self.simd):
            for k, coefficient in enumerate(self.product.input_planes):
                plane = inputs["x"][k * self.simd :][start:end]
                terms.append(scaled(registered(m, emitter.popcount(m, "plain", plane)), coefficient))
        m.d.comb += outputs["sum"].eq(adder_tree(m, terms))
