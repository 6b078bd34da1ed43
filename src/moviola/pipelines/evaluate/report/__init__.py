"""The page of an evaluation: one self-contained HTML file, made from a `Report` and the clips it judged."""

from __future__ import annotations

from moviola.pipelines.evaluate.report.page import build_page
from moviola.pipelines.evaluate.report.write import check_folder, write_report

__all__ = ["build_page", "check_folder", "write_report"]
