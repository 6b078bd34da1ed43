"""`python -m moviola`: the same as the `moviola` script."""

import sys

from moviola.cli.main import run

if __name__ == "__main__":
    sys.exit(run())
