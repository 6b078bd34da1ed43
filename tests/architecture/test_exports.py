"""The public names resolve, and importing the package or its command line loads nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import moviola

HEAVY = [
    "torch",
    "numpy",
    "av",
    "PIL",
    "pydantic",
    "rich",
    "safetensors",
    "jaxtyping",
    "jinja2",
    "starlette",
    "uvicorn",
]


@pytest.mark.parametrize("name", moviola.__all__)
def test_public_name_resolves(name):
    """Everything in `__all__` can be had, comes from moviola, and is what its own module calls by that name."""
    value = getattr(moviola, name)
    assert value.__module__.startswith("moviola.")
    assert value.__name__ == name
    assert value.__doc__


def test_unknown_name_is_an_attribute_error():
    """A wrong name fails as Python's own does."""
    with pytest.raises(AttributeError, match="no attribute 'generrate'"):
        _ = moviola.generrate


def test_dir_lists_the_public_names():
    """Completion in a shell sees the lazy names."""
    assert set(moviola.__all__) <= set(dir(moviola))


@pytest.mark.parametrize(
    "code",
    [
        "import moviola",
        "import moviola.cli.main",
        "from moviola.cli.main import run; run(['--help'])",
        "from moviola.cli.main import run; run(['--version'])",
        "import moviola.core.errors",
    ],
)
def test_start_loads_nothing_heavy(code):
    """A fresh process that only starts has none of the heavy libraries, and no verb, loaded."""
    script = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    loaded = set(json.loads(output.splitlines()[-1]))
    assert not loaded & set(HEAVY)
    verbs = {name for name in loaded if name.startswith("moviola.cli.")}
    assert verbs <= {"moviola.cli.main", "moviola.cli.common", "moviola.cli.verbs"}
