"""What kafka-python leaves behind when no broker answers is closed. No server is needed: the port is free."""

import gc
import os
import threading
from datetime import timedelta

import pytest

from tests.servers import free_port
from vigie.errors import UnavailableError
from vigie.log import ANALYSIS, MENTIONS, Message
from vigie.log.kafka import KafkaLog

CALLS = {
    "ends": lambda log: log.ends(MENTIONS),
    "append": lambda log: log.append(MENTIONS, [Message("co_1", b"{}")]),
    "prepare": lambda log: log.prepare(),
    "subscribe": lambda log: log.subscribe(ANALYSIS, [MENTIONS], None),
}


def count_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def count_threads() -> int:
    return sum(thread.name.startswith("kafka-io") for thread in threading.enumerate())


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files in /proc")
@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_finds_no_broker_leaves_neither_thread_nor_file_open(name, monkeypatch):
    monkeypatch.setattr("vigie.log.kafka._ANSWER_MS", 500)
    log = KafkaLog(f"kafka://127.0.0.1:{free_port()}", retention=timedelta(days=1))
    gc.collect()
    files, threads = count_files(), count_threads()
    with pytest.raises(UnavailableError):
        CALLS[name](log)
    gc.collect()  # a socket that nobody closed is a ResourceWarning here, which fails the test
    assert count_threads() == threads
    assert count_files() <= files
    log.close()
