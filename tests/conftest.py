"""What the whole suite shares: short, repeatable property tests, and the optional folder of real media."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

# no deadline: a busy machine is no bug; derandomized in CI so that a red run can be repeated
settings.register_profile(
    "moviola",
    max_examples=25,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("moviola")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real media: $MOVIOLA_SHARED, or `shared` beside the checkout; the test is skipped without it."""
    named = os.environ.get("MOVIOLA_SHARED")
    folder = Path(named) if named else ROOT.parent / "shared"
    if not (folder / "media").is_dir():
        pytest.skip(f"no real media at {folder}; set MOVIOLA_SHARED to the folder that holds media/")
    return folder
