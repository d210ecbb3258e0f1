"""The command line itself: the subcommands, and how errors become one line and an exit code."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from bitwright.cli.answer import answer, only_answers_on_stdout
from bitwright.cli.bench import bench
from bitwright.cli.compare import compare
from bitwright.cli.compile import compile
from bitwright.cli.convert import convert
from bitwright.cli.demo import demo
from bitwright.cli.doctor import doctor
from bitwright.cli.energy import energy
from bitwright.cli.report import report
from bitwright.cli.signals import end_on_sigterm
from bitwright.cli.simulate import simulate
from bitwright.cli.synth import synth
from bitwright.cli.train import train
from bitwright.cli.verify import verify
from bitwright.errors import BitwrightError

INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 + SIGINT."""

app = typer.Typer(
    name="bitwright",
    help="Compressed neural networks from PyTorch to verified hardware, bit for bit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for command in (doctor, train, convert, compile, simulate, verify, energy, synth, compare, report, demo, bench):
    app.command()(command)


def _version(show: bool) -> None:
    if show:
        from bitwright import __version__

        answer({}, f"bitwright {__version__}", as_json=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _failed(error: Exception, message: str, code: int, as_json: bool) -> int:
    if as_json:
        answer({"error": type(error).__name__, "message": message}, "", as_json=True)
    print(f"bitwright: error: {message}", file=sys.stderr)
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 1 a check failed, 2 bad input, 130 interrupted."""
    if arguments is None:
        end_on_sigterm()
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    with only_answers_on_stdout() if as_json else contextlib.nullcontext():
        try:
            code = app(args=words, prog_name="bitwright", standalone_mode=False)
        except BitwrightError as error:
            return _failed(error, str(error), error.exit_code, as_json)
        except typer.TyperException as error:
            message = " ".join(error.format_message().split())
            if not message:  # no arguments at all: the help has been printed
                return 2
            return _failed(error, f"{message} (see `bitwright --help`)", error.exit_code, as_json)
        except (KeyboardInterrupt, typer.Abort):
            code = INTERRUPTED
    if code == INTERRUPTED:  # Typer answers Ctrl-C by itself, with this code
        print("bitwright: interrupted; nothing half-written was left", file=sys.stderr)
    return code if isinstance(code, int) else 0
