"""Processes that work for another one."""

from __future__ import annotations

import multiprocessing
import os
import threading
from multiprocessing import connection


def end_with_parent() -> None:
    """End this process as soon as the one that started it is gone, however that ended: killed hard, too.

    For a process made by `multiprocessing`; it is called in that process, before its work. Elsewhere it does nothing.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)  # nobody is left to be told

    threading.Thread(target=watch, name="parent", daemon=True).start()
