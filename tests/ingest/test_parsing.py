"""Parser children: an item that loops, crashes or eats memory costs its own answer only."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ingest.parsing.pool import ParserError, ParserPool
from tests.servers import wait_until

TASKS = "tests.ingest.parser_tasks"


@pytest.fixture
def pool():
    pool = ParserPool(tasks=TASKS)
    yield pool
    pool.close()


def pid_of(pool):
    (part,) = pool.run("echo", b"x", {}, seconds=30)
    return part.line


def is_running(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_items_share_one_child_whose_prints_stay_out_of_its_answers(pool):
    first, second = pool.run("echo", b"a", {}, seconds=30), pool.run("echo", "é\n".encode(), {}, seconds=30)
    assert (first[0].reason, second[0].reason) == ("a", "é\n")
    assert first[0].line == second[0].line != os.getpid()


@pytest.mark.parametrize(
    ("task", "body", "reason"),
    [("loop", b"", "time"), ("crash", b"", "crash"), ("fail", b"", "unreadable"), ("fill_memory", b"400", "memory"),
     ("send_object", b"", "unreadable"), ("unknown", b"", "crash")],
)  # fmt: skip
def test_a_bad_item_costs_its_own_answer_only(pool, task, body, reason):
    pid_of(pool)  # a warm child, so that the deadline is the item's own
    with pytest.raises(ParserError) as caught:
        pool.run(task, body, {}, seconds=3.0)
    assert caught.value.reason == reason
    assert pool.run("echo", b"next", {}, seconds=30)[0].reason == "next"


def test_a_child_that_is_killed_over_its_item_is_replaced(pool):
    pid = pid_of(pool)
    reasons = []

    def run():
        try:
            pool.run("sleep", b"30", {}, seconds=60)
        except ParserError as error:
            reasons.append(error.reason)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: not pool.pids())
    os.kill(pid, signal.SIGKILL)
    thread.join(30)
    assert reasons == ["crash"]
    assert pid_of(pool) != pid


def test_a_child_that_dies_between_items_is_replaced(pool):
    pid = pid_of(pool)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_running(pid))
    assert pid_of(pool) != pid


def test_a_child_ends_when_it_is_idle_and_when_it_has_parsed_enough():
    pool = ParserPool(tasks=TASKS, idle_seconds=0.3, items_per_child=2)
    first = pid_of(pool)
    wait_until(lambda: not is_running(first))
    second, third, fourth = pid_of(pool), pid_of(pool), pid_of(pool)
    pool.close()
    assert second == third != fourth
    assert not any(map(is_running, (second, fourth)))


def test_a_slow_item_holds_others_up_no_longer_than_its_deadline(pool):
    pid_of(pool)

    def run_slow_item():
        with pytest.raises(ParserError):
            pool.run("loop", b"", {}, seconds=2.0)

    slow = threading.Thread(target=run_slow_item)
    slow.start()
    wait_until(lambda: not pool.pids())
    started = time.monotonic()
    pid_of(pool)
    assert time.monotonic() - started < 20
    slow.join()


def test_a_child_has_no_secrets_and_is_small(monkeypatch):
    monkeypatch.setenv("VIGIE_SECRET_KEY", "s3cret")
    pool = ParserPool(tasks=TASKS)
    (part,) = pool.run("environment", b"", {}, seconds=30)
    (pid,) = pool.pids()
    resident_kb = int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0])
    pool.close()
    assert "VIGIE" not in part.reason
    assert resident_kb < 80_000


def test_no_child_outlives_its_parent(tmp_path):
    """Neither one that waits nor one amid an endless item, however its parent ends."""
    script = f"""
import threading
from ingest.parsing.pool import ParserPool
for task in ("echo", "loop"):
    pool = ParserPool(tasks={TASKS!r})
    (part,) = pool.run("echo", b"", {{}}, seconds=30)
    print(part.line, flush=True)
    if task == "loop":
        threading.Thread(target=pool.run, args=("loop", b"", {{}}), kwargs={{"seconds": 1.0}}).start()
        threading.Event().wait(0.3)
        print("ready", flush=True)
        threading.Event().wait()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        pids = [int(parent.stdout.readline()), int(parent.stdout.readline())]
        assert parent.stdout.readline() == "ready\n"
        parent.kill()
    wait_until(lambda: not any(map(is_running, pids)), timeout=30)
