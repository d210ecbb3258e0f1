"""A cocotb bench that does what the bulk runner does, with a step of Python a cycle; leaves its seconds in a file."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge


@cocotb.test()
async def step(dut: Any) -> None:
    """Feed the beats of the task file, take what comes."""
    task = json.loads(Path(os.environ["BENCH_TASK"]).read_text())
    beats = [int(beat, 16) for beat in task["beats"]]
    dut.s_axis_tvalid.value = 0
    dut.m_axis_tready.value = 1
    dut.aresetn.value = 0
    Clock(dut.aclk, 10, unit="ns").start()
    for _ in range(4):
        await FallingEdge(dut.aclk)
    dut.aresetn.value = 1
    dut.s_axis_tvalid.value = 1
    sent, received, cycles = 0, [], 0
    dut.s_axis_tdata.value = beats[0]
    start = time.perf_counter()
    while len(received) < task["outputs"]:
        await FallingEdge(dut.aclk)
        cycles += 1
        if dut.m_axis_tvalid.value:
            received.append(int(dut.m_axis_tdata.value))
        if sent < len(beats) and dut.s_axis_tready.value:
            sent += 1
            if sent < len(beats):
                dut.s_axis_tdata.value = beats[sent]
            else:
                dut.s_axis_tvalid.value = 0
    seconds = time.perf_counter() - start
    answer = {"seconds": seconds, "cycles": cycles, "received": [f"{beat:x}" for beat in received]}
    Path(os.environ["BENCH_ANSWER"]).write_text(json.dumps(answer))
