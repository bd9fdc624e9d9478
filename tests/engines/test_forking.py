"""Networks run in forked processes, whatever the parent has done before."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from faceattr.engines.forking import ForkGuard
from faceattr.errors import EngineError

if not hasattr(os, "fork"):
    pytest.skip("this system does not fork", allow_module_level=True)

PROGRAM = """
import gc, os, sys, threading, time
import numpy as np
from faceattr.engines import create_engine
from faceattr.networks.graph import Layer, Network, sequential
from faceattr.testing.stand_ins import random_weights

LONGEST = 240  # seconds until a child counts as hanging; on a busy machine its end takes many
LAYERS = sequential(
    (32, 32, 3),
    Layer("Conv2D", "conv", {"filters": 32, "kernel_size": (5, 5)}),
    Layer("Conv2D", "conv2", {"filters": 32, "kernel_size": (5, 5)}),
    Layer("Flatten", "flatten"),
    Layer("Dense", "scores", {"units": 8, "activation": "softmax"}),
)
NETWORK = Network("small", LAYERS, random_weights(LAYERS), digest="one", stored=False)
CROPS = np.random.default_rng(0).random((8, 32, 32, 3), np.float32)

def in_threads(function, number=4):
    answers = []
    answer = lambda: answers.append(function(CROPS))
    threads = [threading.Thread(target=answer) for _ in range(number)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return answers

def in_child(work):
    sys.stdout.flush()
    if (process := os.fork()) == 0:
        answers = work()
        right = len(answers) > 0 and all(np.array_equal(answer, expected) for answer in answers)
        sys.exit(0 if right else 3)
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            print(os.waitstatus_to_exitcode(status))
            return
        time.sleep(0.02)
    os.kill(process, 9)
    print("hangs")

run = create_engine(precision="f32").compile(NETWORK)
expected = run(CROPS)
in_threads(run)
"""


def results(tmp_path: Path, program: str) -> list[str]:
    """Run the program; return how each child ended."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM + program],
        env=os.environ | {"FACEATTR_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,  # of a busy machine
        check=True,
    ).stdout.split()


def test_a_child_compiles_anew_and_gives_the_same_answers(tmp_path: Path) -> None:
    program = """
def anew():
    again = create_engine(precision="f32").compile(NETWORK)
    assert again is not run
    return in_threads(again)
in_child(anew)
"""
    assert results(tmp_path, program) == ["0"]


def test_a_child_may_use_and_drop_what_its_parent_has_compiled(tmp_path: Path) -> None:
    program = """
in_child(lambda: in_threads(run))
def without():
    global run
    run = None
    gc.collect()
    return in_threads(create_engine(precision="f32").compile(NETWORK))
in_child(without)
in_child(lambda: [expected])
"""
    assert results(tmp_path, program) == ["0", "0", "0"]


def test_a_child_of_a_child_works_too(tmp_path: Path) -> None:
    program = """
def grandchild():
    in_child(lambda: in_threads(create_engine(precision="f32").compile(NETWORK)))
    return in_threads(create_engine(precision="f32").compile(NETWORK))
in_child(grandchild)
"""
    assert results(tmp_path, program) == ["0", "0"]


def test_a_parent_may_be_at_work_when_it_forks(tmp_path: Path) -> None:
    program = """
stop = threading.Event()
def work():
    while not stop.is_set():
        run(CROPS)
def compile():
    while not stop.is_set():
        create_engine(precision="f32").build(NETWORK, "f32")(CROPS)
workers = [threading.Thread(target=target, daemon=True) for target in (work, work, compile)]
for worker in workers: worker.start()
for _ in range(5):
    in_child(lambda: in_threads(create_engine(precision="f32").compile(NETWORK)))
stop.set()
for worker in workers: worker.join()
"""
    assert results(tmp_path, program) == ["0"] * 5


def test_a_parent_may_be_reading_weights_when_it_forks(tmp_path: Path) -> None:
    program = """
from dataclasses import replace

class Slow(dict):
    def get(self, *arguments):
        started.set()
        release.wait()
        return super().get(*arguments)

started, release = threading.Event(), threading.Event()
slow = replace(NETWORK, weights=Slow(NETWORK.weights), digest="two")
worker = threading.Thread(target=create_engine().compile, args=(slow,))
worker.start()
started.wait()
in_child(lambda: in_threads(create_engine(precision="f32").compile(NETWORK)))
release.set()
worker.join()
"""
    assert results(tmp_path, program) == ["0"]


@pytest.mark.usefixtures("tensorflow")
def test_tensorflow_is_refused_in_a_child_at_once(tmp_path: Path) -> None:
    program = """
from faceattr.errors import EngineError
slow = create_engine("tensorflow").compile(NETWORK)
slow(CROPS)
def refused():
    began = time.process_time()  # not by the clock, as other processes may keep it waiting
    for use in (lambda: slow(CROPS), lambda: create_engine("tensorflow").compile(NETWORK)):
        try:
            use()
        except EngineError as error:
            assert "cannot be used in a forked process; use engine='openvino'" in str(error)
        else:
            return []
    return [expected] if time.process_time() - began < 1 else []
in_child(refused)
"""
    assert results(tmp_path, program) == ["0"]


def test_a_fork_waits_for_the_work_of_other_threads() -> None:
    guard = ForkGuard()
    started = threading.Event()
    ended = []

    def work() -> None:
        with guard.at_work():
            started.set()
            time.sleep(0.2)
            ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    guard._wait_for_others()
    assert ended
    guard._let_others_work()
    thread.join()


def test_work_waits_for_a_fork_and_its_own_thread_does_not() -> None:
    guard = ForkGuard()
    guard._wait_for_others()
    with guard.at_work():  # as a destructor may
        pass
    began = threading.Event()

    def work() -> None:
        with guard.at_work(), guard.at_work():
            began.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert not began.wait(0.2)
    guard._let_others_work()
    assert began.wait(5)
    thread.join()


def test_a_child_of_a_fork_that_would_not_wait_any_longer_is_told_what_to_do() -> None:
    guard = ForkGuard(patience=0.05)
    release, started = threading.Event(), threading.Event()

    def work() -> None:
        with guard.at_work():
            started.set()
            release.wait()

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    guard.check()
    guard._wait_for_others()
    guard._become_child()
    release.set()
    thread.join()
    with pytest.raises(
        EngineError, match=r"forked while another thread was busy .*get_context\('spawn'\)"
    ):
        guard.check()
