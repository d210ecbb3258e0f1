"""Carry runs of ECP5: which table and which nets each position of a CCU2C gets.

A position computes P, any function of four inputs, and gives the sum bit P ^ carry and the carry `P ? carry : G`,
where G is P's own table read at C = D = 0. So one position adds two whole products to the carry that comes in, and
the next brings the carry out and at the same time feeds a product of its own to the adder after it: three products to
two bits in one CCU2C. With D tied to 1, P and G are free of each other, which is how all other positions are used.

For two xnor products the shared table forces G = ~product: such a chain carries complements, its sums come out
complemented, and the next chain takes them so. Chains of one level are strung on one carry run; a feed cuts it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from bitwright.hw.popcount.network import Bit, Chain, Network, Operand, Product
from bitwright.hw.popcount.ports import Kind
from bitwright.hw.popcount.writer import Texts, wires

_CELL = "popcount_ecp5_ccu2c"
_RUN = 24
"""Most positions on one carry run: timing analysis sees a ripple through all of it, though feeds cut it."""

_CELL_TEXT = f"""\
module {_CELL} #(parameter [15:0] INIT0 = 0, parameter [15:0] INIT1 = 0) (
  input wire cin, input wire [3:0] i0, input wire [3:0] i1, output wire [1:0] s, output wire cout
);
`ifdef SYNTHESIS
  CCU2C #(.INIT0(INIT0), .INIT1(INIT1), .INJECT1_0("NO"), .INJECT1_1("NO")) cell_ (
    .CIN(cin), .A0(i0[0]), .B0(i0[1]), .C0(i0[2]), .D0(i0[3]), .A1(i1[0]), .B1(i1[1]), .C1(i1[2]), .D1(i1[3]),
    .S0(s[0]), .S1(s[1]), .COUT(cout)
  );
`else
  wire p0 = INIT0[i0];
  wire p1 = INIT1[i1];
  wire c1 = p0 ? cin : INIT0[{{2'b00, i0[1:0]}}];
  assign s = {{p1 ^ c1, p0 ^ cin}};
  assign cout = p1 ? c1 : INIT1[{{2'b00, i1[1:0]}}];
`endif
endmodule
"""


@dataclass(frozen=True)
class _Position:
    """One position: its table, the nets of A, B, C, D, and the net of its sum output, if used."""

    table: int
    nets: tuple[str, str, str, str]
    output: str | None


def run_lines(network: Network, kind: Kind) -> tuple[Texts, list[str], frozenset[int]]:
    """All chains of a network: the cell's module, the lines that instantiate it, the bits that come complemented."""
    inverted: set[int] = set()
    body: list[str] = []
    for number, run in enumerate(runs(network)):
        positions = _positions(kind, run, inverted)
        outputs = [position.output for position in positions if position.output is not None]
        body.append(f"  wire {', '.join(outputs)};")
        carry = "1'b0"
        for pair in range(0, len(positions), 2):
            low, high = positions[pair : pair + 2]
            carry_out = f"c{number}_{pair // 2}"
            sums = [low.output or f"n{number}_{pair}", high.output or f"n{number}_{pair + 1}"]
            spare = [net for net, position in zip(sums, (low, high), strict=True) if position.output is None]
            body.append(f"  wire {', '.join([*spare, carry_out])};")
            body.append(
                f"  {_CELL} #(.INIT0(16'h{low.table:04x}), .INIT1(16'h{high.table:04x})) u{number}_{pair // 2} ("
                f".cin({carry}), .i0({_nets(low)}), .i1({_nets(high)}), .s({{{sums[1]}, {sums[0]}}}), "
                f".cout({carry_out}));"
            )
            carry = carry_out
    return {_CELL: _CELL_TEXT}, body, frozenset(inverted)


def run_length(run: list[Chain]) -> int:
    """Positions of a run: a feed before each chain, and one more where the last carry is wanted."""
    return sum(1 + chain.positions for chain in run) + (run[-1].outputs[-1] is not None)


def runs(network: Network) -> list[list[Chain]]:
    """The chains of each level strung together, no run longer than _RUN unless one chain is."""
    runs: list[list[Chain]] = []
    chains = [op for op in network.operations if isinstance(op, Chain)]
    for _, stage in groupby(chains, key=lambda chain: chain.level):
        run: list[Chain] = []
        for chain in stage:
            if run and run_length([*run, chain]) > _RUN:
                runs.append(run)
                run = []
            run.append(chain)
        runs.append(run)
    return runs


def _positions(kind: Kind, run: list[Chain], inverted: set[int]) -> list[_Position]:
    """The positions of a run, an even number; adds the complemented bits it makes to `inverted`."""
    positions: list[_Position] = []
    last_carry: str | None = None
    for chain in run:
        complement = kind == "xnor" and any(
            isinstance(a, Product) and isinstance(b, Product) for a, b in _operand_pairs(chain)
        )
        positions.append(_feed(kind, chain.carry_in, complement, inverted, last_carry))
        for (a, b), output in zip(_operand_pairs(chain), chain.outputs, strict=False):
            positions.append(_adder(kind, a, b, complement, inverted, _name(output)))
        last_carry = _name(chain.outputs[-1])
        if complement:
            inverted |= {bit.index for bit in chain.outputs if bit is not None}
    if last_carry is not None or len(positions) % 2:
        positions.append(_Position(0, ("1'b0", "1'b0", "1'b1", "1'b1"), last_carry))
    if len(positions) % 2:
        positions.append(_Position(0, ("1'b0", "1'b0", "1'b1", "1'b1"), None))
    return positions


def _name(bit: Bit | None) -> str | None:
    return None if bit is None else f"b{bit.index}"


def _nets(position: _Position) -> str:
    return "{" + ", ".join(reversed(position.nets)) + "}"


def _operand_pairs(chain: Chain) -> list[tuple[Operand, Operand | None]]:
    """The operands of each position of a chain of full and half adders."""
    pairs: list[tuple[Operand, Operand | None]] = []
    rest = list(chain.operands)
    for unit in chain.units:
        first = rest.pop(0)
        pairs.append((first, rest.pop(0) if unit.operands == 2 else None))
    return pairs


def _value(kind: Kind, operand: Operand, inverted: set[int], first: int, second: int) -> int:
    """The true value of an operand from the levels of its one or two nets."""
    if isinstance(operand, Bit):
        return first ^ (operand.index in inverted)
    if kind == "plain":
        return first
    return first & second if kind == "and" else 1 ^ first ^ second


def _table(propagate: Callable[[int, int, int, int], int]) -> int:
    """The 16-bit table of a function of A, B, C, D; A is bit 0 of the index."""
    return sum(propagate(k & 1, k >> 1 & 1, k >> 2 & 1, k >> 3) << k for k in range(16))


def _feed(kind: Kind, operand: Operand | None, complement: bool, inverted: set[int], carry: str | None) -> _Position:
    """A position that gives out the carry of the chain before it and starts the next chain with `operand`."""
    if operand is None:
        return _Position(0x00FF if complement else 0, ("1'b0", "1'b0", "1'b1", "1'b1"), carry)
    nets = wires(kind, operand)
    table = _table(lambda a, b, c, d: 0 if d else _value(kind, operand, inverted, a, b) ^ complement)
    return _Position(table, (nets[0], nets[-1] if len(nets) == 2 else "1'b0", "1'b1", "1'b1"), carry)


def _adder(
    kind: Kind, first: Operand, second: Operand | None, complement: bool, inverted: set[int], output: str | None
) -> _Position:
    """A position that adds one or two operands to the carry."""
    if isinstance(second, Product) and not isinstance(first, Product):
        first, second = second, first
    nets = wires(kind, first)
    more = wires(kind, second) if second is not None else []
    if len(nets) == 2 and len(more) == 2:

        def both(a: int, b: int, c: int, d: int) -> int:
            return (a & b) ^ (c & d) if kind == "and" else a ^ b ^ c ^ d

        return _Position(_table(both), (nets[0], nets[1], more[0], more[1]), output)

    def position(a: int, b: int, c: int, d: int) -> int:
        value = _value(kind, first, inverted, a, b)
        if not d:
            generate = value if second is not None else 0
            return generate ^ complement
        other = 0 if second is None else _value(kind, second, inverted, c if len(nets) == 2 else b, 0)
        return value ^ other

    inputs = (nets + more + ["1'b0", "1'b1"])[:3] if len(nets + more) < 3 else nets + more
    return _Position(_table(position), (inputs[0], inputs[1], inputs[2], "1'b1"), output)
