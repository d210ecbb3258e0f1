"""Brevitas comes without PyTorch's compiler, and works with it when it is there."""

import subprocess
import sys

SCRIPT = """
import sys
import torch
from bitwright.quantize import integer_input, integer_linear
model = torch.nn.Sequential(integer_input(4), integer_linear(8, 4, 4, bias=False)).eval()
x = torch.rand(5, 8)
plain = model(x)
assert "brevitas" in sys.modules
print("torch._dynamo" in sys.modules)
import brevitas
assert not brevitas.is_dynamo_compiling()
compiled = torch.compile(model, backend="eager")(x)
assert torch._dynamo.is_compiling() is False
print("torch._dynamo" in sys.modules, torch.equal(plain.value if hasattr(plain, "value") else plain, compiled))
print(torch.equal(torch.compile(lambda x: x + brevitas.is_dynamo_compiling(), backend="eager")(x), x + 1))
"""


def test_brevitas_without_the_compiler():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "True", "True", "True"]
