"""Processes that work for another one."""

import subprocess
import sys

CHILD = """
import multiprocessing, sys, time
from moviola.core.processes import end_with_parent

def work():
    end_with_parent()
    print("begun", flush=True)
    while True:
        time.sleep(60)

if __name__ == "__main__":
    child = multiprocessing.get_context("spawn").Process(target=work)
    child.start()
    child.join()
"""


def test_a_worker_ends_when_its_parent_is_killed(tmp_path):
    """The worker has the other end of the pipe: it is at its end when the last who could write is gone."""
    (tmp_path / "parent.py").write_text(CHILD)
    command = [sys.executable, str(tmp_path / "parent.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == "begun\n"
        parent.kill()
        rest, _ = parent.communicate(timeout=120)
    assert rest == ""


def test_elsewhere_nothing_is_done():
    done = subprocess.run(
        [sys.executable, "-c", "from moviola.core.processes import end_with_parent as e; e(); print(1)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1\n"
