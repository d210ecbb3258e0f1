"""The `bitwright` command: one file a subcommand; heavy imports wait until a subcommand runs."""

from bitwright.cli.app import main

__all__ = ["main"]
