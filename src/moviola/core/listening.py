"""Keeping the diffusers and transformers libraries off the terminal."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def listening() -> Iterator[list[str]]:
    """Keep diffusers and transformers off the terminal inside the block; what they warn of comes into the list."""
    heard: list[str] = []
    names = ("diffusers", "transformers")
    tools = [importlib.import_module(f"{name}.utils.logging") for name in names]
    before = [(tool.get_verbosity(), tool.is_progress_bar_enabled()) for tool in tools]
    loggers = [logging.getLogger(name) for name in names]
    handlers = [logger.handlers for logger in loggers]
    for tool, logger in zip(tools, loggers, strict=True):
        logger.handlers = [_Ear(heard)]
        tool.set_verbosity_warning()
        tool.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield heard
    finally:
        for tool, logger, kept, (level, bar) in zip(tools, loggers, handlers, before, strict=True):
            logger.handlers = kept
            tool.set_verbosity(level)
            if bar:
                tool.enable_progress_bar()


class _Ear(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())
