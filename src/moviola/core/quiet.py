"""Keeping the diffusers, transformers and huggingface_hub libraries off the terminal."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from moviola.core.optional import require


@contextmanager
def quiet_libraries() -> Iterator[list[str]]:
    """Keep these libraries off the terminal inside the block; what they warn of is in the list.

    The bars of huggingface_hub, for downloads, stay.
    """
    messages: list[str] = []
    names = ("diffusers", "transformers")
    tools = [require(f"{name}.utils.logging", "a model of the hub") for name in names]
    before = [(tool.get_verbosity(), tool.is_progress_bar_enabled()) for tool in tools]
    loggers = [logging.getLogger(name) for name in (*names, "huggingface_hub")]
    handlers = [logger.handlers for logger in loggers]
    for logger in loggers:
        logger.handlers = [_Collector(messages)]
    for tool in tools:
        tool.set_verbosity_warning()
        tool.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield messages
    finally:
        for logger, before_quiet in zip(loggers, handlers, strict=True):
            logger.handlers = before_quiet
        for tool, (level, bar) in zip(tools, before, strict=True):
            tool.set_verbosity(level)
            if bar:
                tool.enable_progress_bar()


class _Collector(logging.Handler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
