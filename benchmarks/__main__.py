"""`python -m benchmarks NAME [--json]` is `bitwright bench NAME [--json]`."""

import sys

from bitwright.cli import main

sys.exit(main(["bench", *sys.argv[1:]]))
