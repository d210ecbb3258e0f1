"""`python -m bitwright` is the `bitwright` command."""

import sys

from bitwright.cli import main

sys.exit(main())
