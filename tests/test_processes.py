"""Work that processes share."""

import os
import signal
from collections.abc import Iterator

import pytest

from sentiment import processes
from sentiment.errors import UserError


@pytest.mark.parametrize("number", [1, 2])
def test_results_come_in_the_order_of_the_jobs(monkeypatch, number):
    monkeypatch.setattr(processes, "number", lambda: number)
    found = [*processes.map_jobs(lambda job: (job, os.getpid()), range(20))]
    assert [job for job, _ in found] == [*range(20)]
    assert (os.getpid() in dict(found).values()) == (number == 1)


@pytest.mark.parametrize("number", [1, 2])
def test_jobs_are_taken_as_they_are_needed(monkeypatch, number):
    monkeypatch.setattr(processes, "number", lambda: number)
    taken = []

    def jobs() -> Iterator[int]:
        for job in range(50):
            taken.append(job)
            yield job

    for done in processes.map_jobs(abs, jobs()):
        assert len(taken) <= done + processes.AHEAD * number
    assert len(taken) == 50


@pytest.mark.parametrize("number", [1, 2])
def test_an_error_is_that_of_the_work(monkeypatch, number):
    def work(job: int) -> None:
        raise UserError(f"job {job} is wrong")

    monkeypatch.setattr(processes, "number", lambda: number)
    with pytest.raises(UserError, match=r"^job 0 is wrong$"):
        [*processes.map_jobs(work, range(20))]


@pytest.mark.parametrize("number", [1, 2])
def test_work_beside_a_block_is_done_when_the_block_has_ended(monkeypatch, number):
    monkeypatch.setattr(processes, "number", lambda: number)
    with processes.beside(os.getpid) as worker:
        pass
    assert (worker.result() == os.getpid()) == (number == 1)


@pytest.mark.parametrize("number", [1, 2])
def test_an_error_of_work_beside_a_block_is_raised_when_the_block_has_ended(monkeypatch, number):
    seen = []
    monkeypatch.setattr(processes, "number", lambda: number)
    with pytest.raises(ZeroDivisionError), processes.beside(lambda: 1 / 0):
        seen.append("the block")
    assert seen == ["the block"]


def test_a_process_that_the_system_ends_is_told():
    with pytest.raises(UserError, match="most likely for want of memory"):
        [*processes.map_jobs(lambda _: os.kill(os.getpid(), signal.SIGKILL), range(20))]


def test_what_is_forked_forks_no_further():
    with processes.beside(processes.number) as number:
        pass
    assert number.result() == 1
