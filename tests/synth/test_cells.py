from bitwright.synth.cells import summarise


def test_ecp5_carries_and_memories_take_lut_sites() -> None:
    found = summarise("ecp5", {"LUT4": 10, "CCU2C": 3, "TRELLIS_DPR16X4": 2, "PFUMX": 9, "TRELLIS_FF": 7, "DP16KD": 1})
    assert (found.luts, found.least_luts, found.lutrams, found.carries) == (24, 24, 8, 3)
    assert (found.ffs, found.brams, found.dsps) == (7, 1, 0)


def test_ice40_carries_sit_beside_their_lut() -> None:
    found = summarise("ice40", {"SB_LUT4": 10, "SB_CARRY": 4, "SB_DFF": 1, "SB_DFFESR": 2, "SB_MAC16": 3})
    assert (found.luts, found.carries, found.ffs, found.dsps) == (10, 4, 3, 3)


def test_xilinx_small_luts_may_share_a_site() -> None:
    found = summarise(
        "xilinx7", {"LUT2": 3, "LUT6": 10, "SRL16E": 1, "RAM32M": 1, "RAMB36E1": 2, "RAMB18E1": 1, "FDRE": 4, "FDSE": 1}
    )
    assert (found.luts, found.least_luts, found.lutrams) == (18, 17, 5)
    assert (found.brams, found.ffs) == (5, 5)
