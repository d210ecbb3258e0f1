"""A cocotb testbench for a streaming design with AXI4-Stream ports, driven by golden vectors.

It needs cocotb 2 and the standard library only. The vectors are in `vectors.json` beside this file, or in the file that
the environment variable BENCH_VECTORS names: what goes in, beat by beat, and what has to come out. BENCH_SEED, if
set, replaces the seed of the random stalls. The weights of a design that takes them from outside are in files of their
own, which the vectors name.

In each clock cycle the bench drives its side after the rising edge and looks at the design's side at the falling edge,
so it does not matter in which order a simulator updates signals. Cycle 0 is the first cycle after reset.
"""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

PLACE = Path(os.environ.get("BENCH_VECTORS", Path(__file__).with_name("vectors.json")))
VECTORS = json.loads(PLACE.read_text())
SEED = int(os.environ.get("BENCH_SEED", VECTORS["seed"]))
FRAMES = len(VECTORS["input"]["frames"])
IDLE_CYCLES = 16
"""Cycles to look for surplus beats after the last."""


class BenchError(AssertionError):
    """The design does not do what the vectors or the stream protocol ask for."""


def values(beat: int, port: dict[str, Any]) -> list[int]:
    """The elements of one beat as numbers."""
    width = port["width"]
    codes = [(beat >> (width * lane)) & ((1 << width) - 1) for lane in range(port["lanes"])]
    if port["coding"] == "bipolar":
        return [2 * code - 1 for code in codes]
    if port["coding"] == "signed":
        return [code - ((code >> (width - 1)) << width) for code in codes]
    return codes


def number(handle: Any, name: str, cycle: int) -> int:
    """The value of a signal. Undefined bits are an error."""
    value = handle.value
    if not value.is_resolvable:
        raise BenchError(f"cycle {cycle}: {name} has undefined bits: {value}")
    return int(value)


@dataclass
class Output:
    """One output stream: its signals, what it should give, what it gave."""

    dut: Any
    port: dict[str, Any]
    held: int | None = None
    cycles: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        name = self.port["name"]
        self.tdata, self.tvalid, self.tready, self.tlast = (
            getattr(self.dut, f"{name}_{signal}") for signal in ("tdata", "tvalid", "tready", "tlast")
        )
        self.beats = len(self.port["frames"][0])

    def look(self, cycle: int, ready: bool, frames: list[int]) -> bool:
        """Check the stream in the middle of a cycle; whether it gave a beat."""
        name = self.port["name"]
        if not number(self.tvalid, f"{name}_tvalid", cycle):
            if self.held is not None:
                raise BenchError(f"cycle {cycle}: {name}_tvalid fell before the beat was accepted")
            return False
        data = number(self.tdata, f"{name}_tdata", cycle)
        last = number(self.tlast, f"{name}_tlast", cycle)
        if self.held not in (None, 2 * data + last):
            raise BenchError(f"cycle {cycle}: {name}_tdata or {name}_tlast changed before the beat was accepted")
        if not ready:
            self.held = 2 * data + last
            return False
        self.held = None
        place, beat = divmod(len(self.cycles), self.beats)
        if place == len(frames):
            raise BenchError(f"cycle {cycle}: {name} gave a beat more than there should be")
        self.check(data, bool(last), frames[place], beat)
        self.cycles.append(cycle)
        return True

    def check(self, data: int, last: bool, frame: int, beat: int) -> None:
        """Compare one beat with the vectors."""
        name, lanes = self.port["name"], self.port["lanes"]
        expected = int(self.port["frames"][frame][beat], 16)
        if data != expected:
            for lane, (want, got) in enumerate(zip(values(expected, self.port), values(data, self.port), strict=True)):
                if want != got:
                    raise BenchError(f"frame {frame}, {name} element {beat * lanes + lane}: expected {want}, got {got}")
            raise BenchError(f"frame {frame}, {name} beat {beat}: expected {expected:#x}, got {data:#x} (padding bits)")
        if last != (beat == self.beats - 1):
            raise BenchError(f"frame {frame}, {name} beat {beat}: tlast is {int(last)}")


class Weights:
    """A stream of weights: the words of a file over and over, from the first one after a reset."""

    def __init__(self, dut: Any, port: dict[str, Any]) -> None:
        self.name = port["name"]
        self.tdata, self.tvalid, self.tready = (
            getattr(dut, f"{self.name}_{signal}") for signal in ("tdata", "tvalid", "tready")
        )
        self.bits = len(self.tdata)
        self.words = [int(word, 16) for word in (PLACE.parent / port["file"]).read_text().split()]
        self.rewind()

    def rewind(self) -> None:
        """Start over, with nothing on offer."""
        self.place, self.wait, self.valid = 0, 0, False
        self.tvalid.value = 0

    def drive(self, noise: random.Random) -> None:
        """Offer the next word, or noise without `tvalid`."""
        self.valid = self.valid or self.wait == 0
        self.wait = max(0, self.wait - 1)
        self.tvalid.value = int(self.valid)
        self.tdata.value = self.words[self.place] if self.valid else noise.getrandbits(self.bits)

    def look(self, cycle: int, pause: int) -> bool:
        """Whether the design took a word in this cycle; the next one is offered `pause` cycles later."""
        if not number(self.tready, f"{self.name}_tready", cycle) or not self.valid:
            return False
        self.place, self.wait, self.valid = (self.place + 1) % len(self.words), pause, False
        return True


class Bench:
    """The design under test with its surroundings."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut = dut
        self.port = VECTORS["input"]
        self.random = random.Random(seed)
        name = self.port["name"]
        self.tdata, self.tvalid, self.tready = (
            getattr(dut, f"{name}_{signal}") for signal in ("tdata", "tvalid", "tready")
        )
        self.bits = len(self.tdata)
        self.weights = [Weights(dut, port) for port in VECTORS.get("weights", [])]
        self.running = False

    async def reset(self) -> None:
        """Hold reset for some cycles; returns at the start of cycle 0."""
        self.dut.aresetn.value = 0
        self.tvalid.value = 0
        for stream in self.weights:
            stream.rewind()
        outputs = [Output(self.dut, port) for port in VECTORS["outputs"]]
        for output in outputs:
            output.tready.value = 0
        if not self.running:
            self.running = True
            Clock(self.dut.aclk, 10, unit="ns").start()
        for _ in range(4):
            await RisingEdge(self.dut.aclk)
        await FallingEdge(self.dut.aclk)
        for output in outputs:
            if number(output.tvalid, f"{output.port['name']}_tvalid", -1):
                raise BenchError(f"{output.port['name']}_tvalid is high in reset")
        await RisingEdge(self.dut.aclk)
        self.dut.aresetn.value = 1

    async def play(
        self, frames: list[int], input_gap: float = 0, output_gap: float = 0, cycles: int | None = None
    ) -> list[list[int]]:
        """Send frames from cycle 0 on and check what comes out; the cycles in which output beats were accepted.

        `input_gap` (weights too) and `output_gap` are mean numbers of cycles to wait before a beat. It ends some cycles
        after the last expected beat, to see that no other follows, or after `cycles`.
        """
        beats = [int(beat, 16) for frame in frames for beat in self.port["frames"][frame]]
        outputs = [Output(self.dut, port) for port in VECTORS["outputs"]]
        sent, cycle, quiet, after = 0, 0, 0, 0
        wait = self.gap(input_gap)
        while cycle != cycles and after < IDLE_CYCLES:
            valid = sent < len(beats) and wait == 0
            wait = max(0, wait - 1)
            self.tvalid.value = int(valid)
            self.tdata.value = beats[sent] if valid else self.random.getrandbits(self.bits)
            for stream in self.weights:
                stream.drive(self.random)
            ready = [self.random.random() * (1 + output_gap) < 1 for _ in outputs]
            for output, now in zip(outputs, ready, strict=True):
                output.tready.value = int(now)
            await FallingEdge(self.dut.aclk)
            moved = [output.look(cycle, now, frames) for output, now in zip(outputs, ready, strict=True)]
            if number(self.tready, f"{self.port['name']}_tready", cycle) and valid:
                sent += 1
                wait = self.gap(input_gap)
                moved.append(True)
            moved += [stream.look(cycle, self.gap(input_gap)) for stream in self.weights]
            quiet = 0 if any(moved) else quiet + 1
            complete = all(len(output.cycles) == len(frames) * output.beats for output in outputs)
            after += complete
            if quiet > VECTORS["patience"] and not complete:
                raise BenchError(f"cycle {cycle}: nothing has moved for {quiet} cycles, after {sent} input beats")
            await RisingEdge(self.dut.aclk)
            cycle += 1
        return [output.cycles for output in outputs]

    def gap(self, mean: float) -> int:
        """A random number of cycles to wait (geometric distribution)."""
        cycles = 0
        while self.random.random() * (1 + mean) < mean:
            cycles += 1
        return cycles


@cocotb.test()
async def frames_back_to_back(dut: Any) -> None:
    """All frames without a pause: every value, and every cycle where the vectors tell them."""
    bench = Bench(dut, SEED)
    await bench.reset()
    cycles = await bench.play(list(range(FRAMES)))
    dut._log.info("first output beat in cycle %d, last in cycle %d", cycles[0][0], cycles[0][-1])
    for port, found in zip(VECTORS["outputs"], cycles, strict=True):
        for beat, (expected, got) in enumerate(zip(port.get("cycles", found), found, strict=True)):
            if expected != got:
                raise BenchError(f"{port['name']} beat {beat} came in cycle {got}, expected in cycle {expected}")


@cocotb.test()
async def frame_by_frame(dut: Any) -> None:
    """The last frames in turn, each sent after the one before has come out."""
    bench = Bench(dut, SEED)
    await bench.reset()
    for frame in range(max(0, FRAMES - 3), FRAMES):
        await bench.play([frame])


async def _random_stalls(dut: Any, input_gap: float, output_gap: float) -> None:
    bench = Bench(dut, SEED)
    await bench.reset()
    frames = bench.random.sample(range(FRAMES), FRAMES)
    await bench.play(frames, input_gap, output_gap)


@cocotb.test()
async def random_stalls_of_the_source(dut: Any) -> None:
    """Frames in random order, the source pausing at random."""
    await _random_stalls(dut, 2.0, 0.0)


@cocotb.test()
async def random_stalls_of_the_sink(dut: Any) -> None:
    """Frames in random order, the sink pausing at random."""
    await _random_stalls(dut, 0.0, 3.0)


@cocotb.test()
async def random_stalls_on_both_sides(dut: Any) -> None:
    """Frames in random order, source and sink pausing at random."""
    await _random_stalls(dut, 1.0, 1.0)


@cocotb.test()
async def reset_in_mid_frame(dut: Any) -> None:
    """Cut runs off by a reset at random times; the run after it must not notice."""
    bench = Bench(dut, SEED)
    await bench.reset()
    length = 1 + max(map(max, await bench.play(list(range(min(2, FRAMES))))))
    for _ in range(4):
        await bench.reset()
        await bench.play(list(range(FRAMES)), output_gap=1.0, cycles=bench.random.randrange(1, length))
        await bench.reset()
        await bench.play([bench.random.randrange(FRAMES)])
