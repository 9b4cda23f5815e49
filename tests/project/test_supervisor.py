"""Children are kept alive with patience, stopped in order, and never outlive the supervisor."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from lockstep.project.child import BoundedLog, Child, how_it_ended, restart_delay
from lockstep.project.embedded_postgres.leftovers import wait_for
from lockstep.project.ports import PortBusyError, check_port
from lockstep.project.supervisor import DidNotStartError, Supervisor


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def child(folder: Path, program: str, name: str = "sleeper", **options: object) -> Child:
    """A child that runs a line of Python and is ready once it has printed so."""
    made = Child(
        name,
        [sys.executable, "-u", "-c", program],
        environment={"PATH": os.environ["PATH"]},
        log=folder / f"{name}.log",
        is_ready=lambda: any("ready" in line for line in made.last_lines),
        **options,  # type: ignore[arg-type]  -- only clock
    )
    return made


SLEEP = "import time; print('ready'); time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready'); time.sleep(600)"


def test_pauses_grow_and_end_at_half_a_minute() -> None:
    assert [restart_delay(crashes) for crashes in range(1, 10)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_crashed_child_is_started_again_after_its_pause(tmp_path: Path) -> None:
    clock = Clock()
    crasher = child(tmp_path, "print('reason: none'); raise SystemExit(3)", clock=clock)
    for crash, pause in ((1, 0.5), (2, 1.0)):
        crasher.look_after() if crash > 1 else crasher.start()
        assert wait_for(lambda: not crasher.is_running, 20)
        assert crasher.look_after() == "ended with code 3"
        assert crasher.look_after() is None
        clock.now += pause - 0.01
        assert crasher.look_after() is None
        assert not crasher.is_running
        clock.now += 0.02
    assert crasher.crashes == 2
    assert wait_for(lambda: list(crasher.last_lines) == ["reason: none"] * 2, 10)
    crasher.wait_stopped(clock.now)


def test_a_child_that_lived_long_begins_with_a_clean_slate(tmp_path: Path) -> None:
    clock = Clock()
    steady = child(tmp_path, "raise SystemExit(1)", clock=clock)
    steady.crashes = 6
    steady.start()
    assert wait_for(lambda: not steady.is_running, 20)
    clock.now += 61
    steady.look_after()
    assert steady.crashes == 1
    steady.wait_stopped(clock.now)


def test_stopping_is_gentle_first_and_sure_in_the_end(tmp_path: Path) -> None:
    gentle, stubborn = child(tmp_path, SLEEP, "gentle"), child(tmp_path, STUBBORN, "stubborn")
    for one in (gentle, stubborn):
        one.start()
        assert wait_for(one.is_ready, 20)
        one.ask_to_stop()
    gentle.wait_stopped(gentle._clock() + 20)
    assert gentle._process is not None
    assert gentle._process.returncode == -signal.SIGTERM
    stubborn.wait_stopped(stubborn._clock() + 0.2)
    assert stubborn._process is not None
    assert stubborn._process.returncode == -signal.SIGKILL


def test_a_child_that_does_not_come_up_is_named_with_its_last_words(tmp_path: Path) -> None:
    good, bad = child(tmp_path, SLEEP, "web"), child(tmp_path, "raise SystemExit('no database')", "worker")
    supervisor = Supervisor([good, bad], None, lambda line: None)
    with pytest.raises(DidNotStartError, match="The worker ended while starting") as told:
        supervisor.start()
    supervisor.stop()
    assert not good.is_running
    assert "no database" in str(told.value) or "no database" in "".join(bad.last_lines)


def test_the_supervisor_restarts_what_was_killed(tmp_path: Path) -> None:
    heard: list[str] = []
    worker = child(tmp_path, SLEEP, "worker")
    supervisor = Supervisor([worker], None, heard.append)
    supervisor.start()
    first = worker.pid
    assert first is not None
    stop = threading.Event()

    def kill_and_wait() -> None:
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: worker.pid not in {None, first} and worker.is_ready(), 20)
        stop.set()

    accident = threading.Thread(target=kill_and_wait)
    accident.start()
    supervisor.run_until(stop)
    accident.join()
    second = worker.pid
    supervisor.stop()
    assert second not in {None, first}
    assert not psutil.pid_exists(second or 0)
    assert heard
    assert heard[0].startswith("The worker was ended by SIGKILL; starting it again.")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_children_end_with_a_killed_parent(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time; from lockstep.project import tether; "
        f"p = subprocess.Popen(tether.command([sys.executable, '-c', {SLEEP!r}], at_death_of_parent=15)); "
        "print(p.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-P", "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        parent.kill()
        assert wait_for(lambda: not psutil.pid_exists(pid), 20)


def test_logs_stay_bounded(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "logs" / "web.log", limit=1000, files=3)
    for number in range(1000):
        log.write(b"line %04d\n" % number)
    log.close()
    files = sorted(path.name for path in (tmp_path / "logs").iterdir())
    assert files == ["web.log", "web.log.1", "web.log.2"]
    assert sum(path.stat().st_size for path in (tmp_path / "logs").iterdir()) <= 3 * 1010
    assert (tmp_path / "logs" / "web.log").read_text().endswith("line 0999\n")


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "ended with code 0"), (-9, "was ended by SIGKILL"), (-99, "was ended by signal 99")],
)
def test_ends_are_told_in_words(code: int, words: str) -> None:
    assert how_it_ended(code) == words


def test_a_busy_port_is_named_with_what_to_do() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortBusyError, match=rf"Port {port}, for Lockstep, .* --port \d+"):
            check_port(port, "Lockstep", "--port")
    check_port(port, "Lockstep", "--port")
