"""Fetch every outside network that `moviola models fetch` knows, so that the tests that need them run.

They go to the cache folder (`$MOVIOLA_CACHE`), which the tests read; what is there already is kept. Where there is no
network one line says so and the exit code is 0: the tests are skipped then, as they say themselves.
"""

from __future__ import annotations

import os
import sys

# a network that does not answer must not hold everything up: what pip needs is small
os.environ.update(PIP_RETRIES="1", PIP_DEFAULT_TIMEOUT="20")


def main() -> int:
    """Fetch until something cannot be had; return 0 in any case but a fault of moviola's."""
    from moviola.core.errors import MoviolaError
    from moviola.core.paths import cache_dir
    from moviola.nn.pretrained.store import PRETRAINED, fetch

    for name in PRETRAINED:
        try:
            fetch(name)
        except MoviolaError as error:
            print(f"no {name} ({error}): tests that need it or what follows it are skipped")
            return 0
    print(f"outside networks in {cache_dir() / 'weights'}: {', '.join(PRETRAINED)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
