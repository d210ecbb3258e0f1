import pytest

from bitwright.errors import InputError
from bitwright.hw import FABRICS
from bitwright.synth import DEVICES, find_device


def test_the_promised_devices_are_there() -> None:
    assert {"ecp5-25k", "ecp5-45k", "ecp5-85k", "ice40-up5k", "ice40-hx8k", "xc7z020", "xc7a35t"} <= set(DEVICES)


@pytest.mark.parametrize("name", DEVICES)
def test_every_device_has_a_fabric_that_hw_writes_and_a_source(name: str) -> None:
    device = find_device(name)
    assert device.fabric in FABRICS
    assert device.source
    assert min(device.luts, device.ffs, device.brams, device.pins) > 0
    assert device.places == (device.family != "xilinx7")


def test_names_are_found_whatever_their_case_and_by_family() -> None:
    assert find_device("ECP5-25K") is DEVICES["ecp5-25k"]
    assert find_device("xilinx-7").family == "xilinx7"


def test_unknown_device_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"unknown device 'ecp5-85'; did you mean 'ecp5-85k'\? known: ecp5-25k, .*"):
        find_device("ecp5-85")
    with pytest.raises(InputError, match=r"unknown device 'toaster'; known: ecp5-25k"):
        find_device("toaster")
