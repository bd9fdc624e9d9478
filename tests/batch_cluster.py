"""A Ray cluster of two nodes on this machine, and a run on it that is disturbed.

Called as a program, in namespaces of its own: FOLDER TO WHAT WHEN, where WHAT is killed, once WHEN
pictures are done: nothing, actor, node or driver.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from batch_runs import OPTIONS

from faceattr.batch import Progress, run


def find_actors() -> list[int]:
    """Return the process ids of the actors that this process has started."""
    titles, parents = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                titles[int(folder.name)] = (folder / "cmdline").read_text()
                status = (folder / "stat").read_text().rpartition(")")[2]
                parents[int(folder.name)] = int(status.split()[1])

    def is_below(pid: int) -> bool:
        return pid in parents and (parents[pid] == os.getpid() or is_below(parents[pid]))

    return [pid for pid, title in titles.items() if "ray::_Actor" in title and is_below(pid)]


def main(folder: str, to: str, what: str, when: str) -> None:
    """Run a batch on two nodes with an actor each, and kill something."""
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster()  # without types where Ray is not installed
    nodes = [
        cluster.add_node(num_cpus=cpus, memory=4 << 30, object_store_memory=100 << 20)
        for cpus in (1, 2)
    ]
    is_left = what != "nothing"

    def disturb(progress: Progress) -> None:
        nonlocal is_left
        if not is_left or progress.counts.pictures < int(when):
            return
        if what == "actor":
            victims = find_actors()  # none while they are started anew
        elif what == "node":
            victims = [nodes[1].all_processes["raylet"][0].process.pid]
        else:
            victims = [os.getpid()]
        if victims:
            is_left = False
            os.kill(random.choice(victims), signal.SIGKILL)

    summary = run(
        folder,
        to,
        OPTIONS,
        engine="ray",
        address=cluster.address,
        workers=2,
        chunk_size=2,
        on_progress=disturb,
    )
    assert not summary.errors
    assert not is_left or what == "nothing"
    cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
