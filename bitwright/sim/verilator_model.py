"""The C++ class that fits a verilated design to the bulk harness."""

from __future__ import annotations

from collections.abc import Sequence

from bitwright.sim.interface import Interface
from bitwright.sim.templates import fill

_TEMPLATE = """\
#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>
#include <utility>

#include "Vdut.h"
#include "Vdut___024root.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

// What Vdut::eval() calls between its book-keeping for classes, messages and waves.
class Vdut___024root;
void Vdut___024root___eval(Vdut___024root*);

struct Model {
    static constexpr int INPUT_BYTES = @input_bytes@;
    static constexpr int OUTPUTS = @outputs@;
    static constexpr int OUTPUT_BYTES[] = {@output_bytes@};
    static constexpr int WEIGHTS = @weights@;
    static constexpr int WEIGHT_BYTES[] = {@weight_bytes@};
    static constexpr int TAPS = @taps@;
    static constexpr int TAP_BYTES[] = {@tap_bytes@};
    template <int I> using Index = std::integral_constant<int, I>;

    VerilatedContext context;
    std::unique_ptr<Vdut> top;
#if VM_TRACE
    VerilatedVcdC trace;
#endif

    Model(int argc, char** argv) {
        context.commandArgs(argc, argv);
#if VM_TRACE
        context.traceEverOn(true);
#endif
        top = std::make_unique<Vdut>(&context, "@top@");
#if VM_TRACE
        trace.set_time_unit("1ns");
        trace.set_time_resolution("1ns");
        top->trace(&trace, 99);
        trace.open(argv[2]);
#endif
        top->aclk = 0;
        top->eval();
    }
    void dump() {
#if VM_TRACE
        trace.dump(context.time());
        context.timeInc(5);
#endif
    }
    void reset(bool active) { top->aresetn = !active; }
    void input(const uint8_t* beat) { std::memcpy(&top->@input@_tdata, beat, INPUT_BYTES); }
    void input_valid(bool valid) { top->@input@_tvalid = valid; }
    bool input_ready() const { return top->@input@_tready; }
@output_methods@@weight_methods@
    void settle() {
#if VM_TRACE
        top->eval();
#else
        Vdut___024root___eval(top->rootp);
#endif
    }
    // An evaluation settles what depends on the data pins before it looks for a rising edge, so that they have their
    // value at the edge, as in a circuit. The falling edge does nothing: only waves show it.
    void step() {
#if VM_TRACE
        top->aclk = 0;
        settle();
        dump();
#else
        top->rootp->__Vtrigprevexpr___TOP__aclk__0 = 0;
#endif
        top->aclk = 1;
        settle();
        dump();
    }
    bool tap_valid(int t) const { return @tap_valid@; }
    bool tap_ready(int t) const { return @tap_ready@; }
    void tap(int t, uint8_t* beat) const {
        switch (t) {
@tap_cases@
        }
    }
    void finish() {
        top->final();
#if VM_TRACE
        trace.close();
#endif
    }
};
"""

_OUTPUT = """\
    bool output_valid(Index<@i@>) const { return top->@port@_tvalid; }
    void output_ready(Index<@i@>, bool ready) { top->@port@_tready = ready; }
    void output(Index<@i@>, uint8_t* beat) const { std::memcpy(beat, &top->@port@_tdata, OUTPUT_BYTES[@i@]); }
"""

_WEIGHTS = """\
    bool weights_ready(Index<@i@>) const { return top->@port@_tready; }
    void weights_valid(Index<@i@>, bool valid) { top->@port@_tvalid = valid; }
    void weights(Index<@i@>, const uint8_t* beat) { std::memcpy(&top->@port@_tdata, beat, WEIGHT_BYTES[@i@]); }
"""


def _select(signal: str, count: int) -> str:
    if not count:
        return "false"
    return f"(reinterpret_cast<const uint8_t*>(&top->{signal})[t >> 3] >> (t & 7)) & 1"


def model_header(top: str, interface: Interface, taps: Sequence[int] = ()) -> str:
    """The text of model.h. `taps` are the sizes in bytes of the inner streams that a probe wrapper brings out."""
    return fill(
        _TEMPLATE,
        top=top,
        input=interface.input_name,
        input_bytes=interface.input_bytes,
        outputs=len(interface.output_names),
        output_bytes=", ".join(map(str, interface.output_bytes)),
        output_methods="".join(fill(_OUTPUT, i=i, port=name) for i, name in enumerate(interface.output_names)),
        weights=len(interface.weight_names),
        weight_bytes=", ".join(map(str, interface.weight_bytes)) or "0",
        weight_methods="".join(fill(_WEIGHTS, i=i, port=name) for i, name in enumerate(interface.weight_names)),
        taps=len(taps),
        tap_bytes=", ".join(map(str, taps)) or "0",
        tap_valid=_select("tap_valid", len(taps)),
        tap_ready=_select("tap_ready", len(taps)),
        tap_cases="\n".join(
            f"        case {i}: std::memcpy(beat, &top->tap{i}, TAP_BYTES[{i}]); break;" for i in range(len(taps))
        ),
    )
