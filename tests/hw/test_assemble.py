import re
import subprocess
import sys

import numpy as np
import pytest

from bitwright.errors import FoldingError, InputError
from bitwright.graph import BIPOLAR, ArgMax, Flatten, IntType, Network, TensorSpec, TopK
from bitwright.graph.random import random_values
from bitwright.hw import FABRICS, Folding, LayerFolding, assemble
from bitwright.sim.simulate import simulate
from tests.hw.check_core import chain, check_core
from tests.hw.operations import random_linear, random_threshold


def two_layers(size: int = 12) -> Network:
    first = random_linear(BIPOLAR, size, 8)
    activation = random_threshold(BIPOLAR, 8, size)
    second = random_linear(BIPOLAR, 8, 6, source="h")
    fields = {**second.attributes(), "name": "fc2", "inputs": ("h",), "output": "b"}
    return chain(TensorSpec((size,), BIPOLAR), first, activation, type(second)(**fields))


@pytest.mark.parametrize("simd", [1, 2, 4, 8])
@pytest.mark.parametrize("pe", [2, 8])
def test_width_converters_between_all_lane_counts(pe, simd):
    check_core(two_layers(), {"fc": (pe, 12), "fc2": (3, simd)})


def test_lanes_that_do_not_divide_each_other_meet_in_their_common_multiple():
    layer = random_linear(BIPOLAR, 6, 12, seed=1)
    fields = {**random_linear(BIPOLAR, 12, 2).attributes(), "name": "fc2", "inputs": ("a",), "output": "b"}
    second = type(layer)(**{**fields, "weights": random_linear(BIPOLAR, 12, 2).weights})
    check_core(chain(TensorSpec((6,), BIPOLAR), layer, second), {"fc": (4, 6), "fc2": (2, 6)})


def test_several_readers_and_outputs():
    layer = random_linear(IntType.signed_bits(2), 6, 4)
    label = ArgMax(name="label", inputs=("a",), output="y")
    best = TopK(name="best", inputs=("a",), output="t", k=2)
    network = chain(TensorSpec((6,), BIPOLAR), layer, label, best, outputs=("a", "y", "t"))
    accelerator = check_core(network, {"fc": (2, 3), "label": (1, 4)})
    assert [port.name for port in accelerator.outputs] == ["m0_axis", "m1_axis", "m2_axis"]


def test_flatten_moves_nothing():
    flat = Flatten(name="flat", inputs=("x",), output="f")
    layer = random_linear(BIPOLAR, 12, 4, source="f")
    accelerator = check_core(chain(TensorSpec((3, 4), BIPOLAR), flat, layer), {"fc": (4, 6)})
    assert len(accelerator.stages) == 1


def test_an_input_read_twice():
    layer = random_linear(BIPOLAR, 6, 4)
    label = ArgMax(name="label", inputs=("x",), output="y")
    check_core(chain(TensorSpec((6,), BIPOLAR), layer, label, outputs=("a", "y")), {"fc": (2, 3), "label": (1, 2)})


def test_names_that_are_no_identifiers():
    layer = random_linear(BIPOLAR, 6, 4)
    fields = {**layer.attributes(), "name": "1.größe [x]", "inputs": ("x",), "output": "wire"}
    network = Network("mein netz", "x", TensorSpec((6,), BIPOLAR), (type(layer)(**fields),), ("wire",))
    check_core(network, {"1.größe [x]": (2, 3)})


def test_verilog_is_the_same_in_every_process(tmp_path):
    script = (
        "from tests.hw.test_assemble import two_layers\n"
        "from bitwright.hw import assemble\n"
        "print(assemble(two_layers()).verilog().key())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "BITWRIGHT_CACHE": str(tmp_path / seed)},
        ).stdout
        for seed in ("1", "2")
    }
    assert runs == {assemble(two_layers()).verilog().key() + "\n"}


def test_verilog_does_not_grow_with_the_weights():
    small, large = two_layers(12), two_layers(1200)
    sizes = []
    for network in (small, large):
        folding = Folding({"fc": LayerFolding(2, 4), "fc2": LayerFolding(2, 4)})
        sources = assemble(network, folding).verilog()
        sizes.append(sum(map(len, sources.sources.values())))
    assert sizes[1] < 1.1 * sizes[0]


def test_one_text_for_a_repeated_block():
    sizes = []
    for pe in (2, 8):
        text = assemble(two_layers(), Folding({"fc": LayerFolding(pe, 12), "fc2": LayerFolding(2, 4)})).verilog()
        sizes.append(len(re.findall(r"^module pe_", text.sources["core.v"], re.MULTILINE)))
    assert sizes == [2, 2]


@pytest.mark.parametrize(
    ("folding", "message"),
    [
        ({"fc": (3, 12), "fc2": (2, 4)}, "layer 'fc': PE 3 does not divide 8; choose one of [1, 2, 4, 8]"),
        ({"fc": (2, 5), "fc2": (2, 4)}, "layer 'fc': SIMD 5 does not divide 12"),
        ({"fc": (2, 4)}, "layer 'fc2' has no PE and SIMD"),
        ({"fc": (2, 4), "fc2": (2, 4), "conv": (1, 1)}, "names layer 'conv', which network 'core' does not have"),
    ],
)
def test_bad_foldings_name_the_layer(folding, message):
    with pytest.raises(FoldingError, match=re.escape(message)):
        assemble(two_layers(), Folding({name: LayerFolding(*one) for name, one in folding.items()}))


@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_lanes_are_positive_integers(value):
    with pytest.raises(FoldingError, match="PE must be a positive integer"):
        LayerFolding(value, 1)


@pytest.mark.parametrize("fabric", FABRICS)
def test_every_fabrics_text_computes_the_same(fabric):
    network = two_layers(60)
    accelerator = assemble(network, Folding({"fc": LayerFolding(4, 60), "fc2": LayerFolding(2, 8)}))
    x = random_values(network.input_spec, 50, 0)
    assert np.array_equal(simulate(accelerator, x, fabric=fabric).outputs, network.run(x))


def test_unknown_fabric():
    with pytest.raises(InputError, match="unknown fabric 'lut9'"):
        assemble(two_layers()).verilog("lut9")


def test_a_network_without_hardware():
    flat = Flatten(name="flat", inputs=("x",), output="f")
    with pytest.raises(InputError, match="no operation that needs hardware"):
        assemble(chain(TensorSpec((3, 4), BIPOLAR), flat))


def test_folding_as_json():
    folding = Folding({"fc": LayerFolding(2, 4)})
    assert Folding.from_json(folding.to_json()) == folding
    with pytest.raises(FoldingError, match="a folding is JSON like"):
        Folding.from_json('{"fc": 3}')


def test_packed_beats_come_back():
    network = two_layers()
    port = assemble(network).input
    frames = np.where(np.random.default_rng(0).random((3, 12)) < 0.5, -1, 1).astype(np.int8)
    assert np.array_equal(port.unpack(port.pack(frames), 3), frames)
