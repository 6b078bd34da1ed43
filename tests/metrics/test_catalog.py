"""The table of metrics, and how keys become extractors."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

from moviola.core.errors import InputError, UnknownNameError
from moviola.metrics import kinds as kinds_module
from moviola.metrics.catalog import METRICS, find_metric, list_metrics, renamed
from moviola.metrics.kinds import KINDS, ClipMetric, PairMetric, SetMetric, build
from moviola.metrics.measures import FrechetMeasure
from moviola.metrics.options import MetricOptions
from moviola.metrics.protocol import Protocol
from moviola.metrics.results import Report, Score


def test_the_metrics_are_those_promised():
    kinds = {key: spec.kind for key, spec in METRICS.items()}
    assert {key for key, kind in kinds.items() if kind == "set"} == {
        "fvd", "fvd-pooled", "kvd", "frame-fd", "frame-is", "fvmd-lk", "cd-fvd", "jepa-fd",
    }  # fmt: skip
    assert {key for key, kind in kinds.items() if kind == "paired"} == {
        "psnr",
        "ssim",
        "ms-ssim",
        "mse",
        "lpips",
    }
    assert {key for key, kind in kinds.items() if kind == "video"} == {
        "clip-score", "fram-acc", "tmp-con", "conse", "pixel-mse", "warp-error", "flicker", "motion",
    }  # fmt: skip
    assert [spec.key for spec in list_metrics()] == list(METRICS)
    assert all(key == spec.key and spec.title for key, spec in METRICS.items())
    assert METRICS["motion"].better == "neither"
    assert {key: KINDS[kind].__name__ for key, kind in kinds.items() if key in ("fvd", "psnr", "motion")} == {
        "fvd": "SetMetric",
        "psnr": "PairMetric",
        "motion": "ClipMetric",
    }


@pytest.mark.parametrize("key", METRICS)
def test_every_factory_is_there(key):
    """The module of each metric defines its factory (read, not run: it may need weights)."""
    module, _, function = METRICS[key].factory.partition(":")
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    names |= {
        t.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for t in node.targets
        if isinstance(t, ast.Name)
    }
    assert function in names


def test_a_key_of_before():
    """`fvmd` is the name of a published figure, which this is not."""
    assert find_metric("fvmd") is METRICS["fvmd-lk"] and "fvmd" not in METRICS
    assert renamed(["fvd", "fvmd", "fvmd", "fvmd-lk"]) == [
        f"fvmd is called fvmd-lk: {METRICS['fvmd-lk'].title}"
    ]
    score = Score("fvmd-lk", 1.0, None, None, 2, 2, "lower")
    assert Report({"fvmd-lk": score}, {})["fvmd"] is score


def test_unknown_key():
    with pytest.raises(UnknownNameError, match="unknown metric 'fdv'; did you mean fvd"):
        find_metric("fdv")


def test_metrics_that_share_an_extractor_share_the_object(monkeypatch):
    """Two factories that make equal extractors give one object; a metric asked for twice is there once."""

    class Net:
        name = "net"

        def __init__(self, size: int) -> None:
            self.size = size

        def identity(self) -> dict[str, str]:
            return {"size": str(self.size)}

    sizes = {"fvd": 1, "kvd": 1, "fvmd-lk": 2}
    monkeypatch.setattr(
        kinds_module, "load", lambda spec, *_: (Net(sizes[spec.key]), "out", FrechetMeasure())
    )
    made = build(["fvd", "kvd", "fvd", "fvmd", "fvmd-lk"], Protocol(), "cpu", MetricOptions())
    assert [metric.key for metric in made] == ["fvd", "kvd", "fvmd-lk"]
    assert made[0].extractor is made[1].extractor
    assert made[0].extractor is not made[2].extractor
    mine = ClipMetric("motion", extractor=Net(3), output="out")
    assert build([mine], Protocol(), "cpu", MetricOptions()) == [mine]


@pytest.mark.parametrize(
    ("kind", "key", "line"),
    [
        (SetMetric, "psnr", "psnr compares each clip with its real one; use PairMetric"),
        (SetMetric, "motion", "motion is a figure of single clips; use ClipMetric"),
        (PairMetric, "motion", "motion is a figure of single clips; use ClipMetric"),
        (PairMetric, "fvd", "fvd compares sets of clips"),
    ],
)
def test_a_key_of_another_kind(kind, key, line):
    """The line says which kind it is."""
    with pytest.raises(InputError, match=line):
        kind(key)


def test_nothing_asked_for():
    with pytest.raises(InputError, match="no metric asked for; known: fvd"):
        build([], Protocol(), "cpu", MetricOptions())
