"""Imports point one way, and `import bitwright` stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bitwright

PACKAGE = Path(bitwright.__file__).parent
ORDER = (
    "errors",
    "cache",
    "native",
    "output",
    "graph",
    "quantize",
    "models",
    "hw",
    "hls",
    "stochastic",
    "sim",
    "energy",
    "synth",
    "delivery",
    "design",
    "report",
    "cli",
    "__main__",
)
HEAVY = {*"torch amaranth brevitas matplotlib sklearn scipy pandas cocotb pyosys numpy typer".split()}  # noqa: SIM905


def _place(path: Path) -> str:
    """The folder or module right under the package that `path` belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imported(tree: ast.AST, path: Path) -> list[tuple[int, str]]:
    """(line, dotted module) of every import in a file, wherever it stands, and of import_module("...")."""
    package = ["bitwright", *path.relative_to(PACKAGE).parent.parts]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [(node.lineno, f"{module}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            found += [
                (node.lineno, argument.value)
                for argument in node.args
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            ]
    return found


def violations(path: Path, text: str) -> list[str]:
    """The imports of a file that point to the right of its own place."""
    place = _place(path)
    problems = []
    for line, module in _imported(ast.parse(text), path):
        parts = module.split(".")
        if parts[0] != "bitwright":
            continue
        target = parts[1] if len(parts) > 1 else "(the package itself)"
        if target == "__version__" or target == place:
            continue
        if target not in ORDER or ORDER.index(target) > ORDER.index(place):
            problems.append(f"{path.name}:{line}: {place} imports {target}")
    return problems


def test_imports_point_one_way() -> None:
    files = sorted(set(PACKAGE.rglob("*.py")) - {PACKAGE / "__init__.py"})
    assert len(files) > 20
    assert [problem for path in files for problem in violations(path, path.read_text())] == []


@pytest.mark.parametrize(
    "text",
    [
        "import bitwright.sim",
        "import bitwright",
        "def f():\n    from bitwright.hw import fold",
        "from bitwright import design",
        "from ..hw import fold",
        "if True:\n    import importlib\n    importlib.import_module('bitwright.cli')",
    ],
)
def test_a_wrong_import_is_found(text: str) -> None:
    assert len(violations(PACKAGE / "graph" / "network.py", text)) == 1


def _fresh(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_import_bitwright_loads_nothing_heavy() -> None:
    loaded = _fresh("import sys, bitwright; print(*sorted({name.split('.')[0] for name in sys.modules}))").split()
    assert not set(loaded) & HEAVY


def test_help_of_the_command_line_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom bitwright.cli import main\nsys.argv = ['bitwright', '--help']\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code\n"
        "print('LOADED', *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    loaded = _fresh(code).split("LOADED")[1].split()
    assert not set(loaded) & (HEAVY - {"typer"})


def test_every_public_name_loads_and_is_declared_for_type_checkers() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    declared = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        declared |= {alias.asname: f"{node.module}" for alias in node.names}
    assert declared == {name: f"bitwright.{home}" for name, home in bitwright._HOME.items()}
    for name in bitwright.__all__:
        assert getattr(bitwright, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'frobnicate'"):
        bitwright.frobnicate  # noqa: B018
