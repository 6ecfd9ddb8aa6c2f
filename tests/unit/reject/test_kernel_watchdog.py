"""The kernel's watchdog: what resets the box and what does not. The driver here counts down as the kernel's do."""

import errno
import os
import struct

import pytest

from app.clock import NS_PER_MS, NS_PER_S
from app.errors import LineError
from app.reject.kernel_watchdog import KernelWatchdog
from app.reject.watchdog import Heartbeat

GETSUPPORT, SETTIMEOUT, GETTIMEOUT = 0x80285700, 0xC0045706, 0x80045707
WORKERS = ("trigger", "verdict", "output")


class Driver:
    """A watchdog driver behind a named pipe: opening starts it, each write restarts it, `V` before the end stops it."""

    def __init__(self, folder, *, longest_s=60, step_s=1, takes_timeouts=True, is_nowayout=False):
        self.path = folder / "watchdog"
        os.mkfifo(self.path)
        self._pipe = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self._longest_s, self._step_s = longest_s, step_s
        self._takes_timeouts, self._is_nowayout = takes_timeouts, is_nowayout
        self.timeout_s = 60
        self.left_ns = None
        self._now_ns = 0
        self._is_magic = False
        self.refuses = 0

    def ioctl(self, _file, request, told):
        if request == GETSUPPORT:
            struct.pack_into("II32s", told, 0, 0x8180, 0, b"pretend")
        elif request == SETTIMEOUT:
            if not self._takes_timeouts:
                raise OSError(errno.EOPNOTSUPP, "Operation not supported")
            if told[0] > self._longest_s:
                raise OSError(errno.EINVAL, "Invalid argument")
            self.timeout_s = -(-told[0] // self._step_s) * self._step_s
        elif request == GETTIMEOUT:
            told[0] = self.timeout_s
        else:
            raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")
        self.left_ns = self.timeout_s * NS_PER_S

    def has_reset_by(self, now_ns):
        """Looks at what was written since the last look, as if it had come at that time, and counts down to now."""
        try:
            written = os.read(self._pipe, 4096)
            is_open = bool(written)
        except BlockingIOError:
            written, is_open = b"", True
        if written:
            self._is_magic = written.endswith(b"V")
            self.left_ns = self.timeout_s * NS_PER_S
        if not is_open and self._is_magic and not self._is_nowayout:
            self.left_ns = None
        if self.left_ns is not None:
            self.left_ns -= now_ns - self._now_ns
        self._now_ns = now_ns
        return self.left_ns is not None and self.left_ns <= 0

    def is_running(self):
        self.has_reset_by(self._now_ns)
        return not self.has_reset_by(self._now_ns) and self.left_ns is not None

    def close(self):
        os.close(self._pipe)


@pytest.fixture
def make_driver(tmp_path):
    made = []

    def make(**settings):
        made.append(Driver(tmp_path, **settings))
        return made[-1]

    yield make
    for driver in made:
        driver.close()


def opened(driver, timeout_s=10):
    return KernelWatchdog(driver.path, timeout_s, ioctl=driver.ioctl)


def test_petted_watchdog_never_resets(make_driver):
    driver = make_driver()
    watchdog = opened(driver)
    resets = []
    for at_s in range(1, 100):
        watchdog.pet(at_s * NS_PER_S)
        resets.append(driver.has_reset_by(at_s * NS_PER_S))
    watchdog.close(is_safe=True)

    assert not any(resets)


def test_watchdog_of_a_process_that_does_nothing_more_resets_the_box_in_its_time(make_driver):
    driver = make_driver()
    watchdog = opened(driver)
    watchdog.pet(0)
    early = driver.has_reset_by(10 * NS_PER_S - 1)
    late = driver.has_reset_by(10 * NS_PER_S)
    watchdog.close(is_safe=False)

    assert (early, late) == (False, True)


def test_watchdog_runs_on_when_its_process_dies(make_driver):
    driver = make_driver()
    watchdog = opened(driver)
    watchdog.pet(0)
    watchdog.close(is_safe=False)  # the kernel closes the file of a process that was killed, and no V was written

    assert driver.is_running()
    assert driver.has_reset_by(10 * NS_PER_S)


def test_watchdog_stops_when_the_station_ends_with_its_outputs_safe(make_driver):
    driver = make_driver()
    watchdog = opened(driver)
    watchdog.pet(0)
    watchdog.close(is_safe=True)
    watchdog.close(is_safe=True)

    assert not driver.is_running()
    assert not driver.has_reset_by(1000 * NS_PER_S)


def test_watchdog_that_never_stops_once_it_runs_resets_the_box_all_the_same(make_driver):
    driver = make_driver(is_nowayout=True)
    watchdog = opened(driver)
    watchdog.close(is_safe=True)

    assert driver.has_reset_by(0) is False
    assert driver.has_reset_by(10 * NS_PER_S)


@pytest.mark.parametrize("wedged", WORKERS)
def test_watchdog_is_not_petted_while_one_worker_makes_no_progress(make_driver, wedged):
    driver = make_driver()
    watchdog = opened(driver)
    heartbeat = Heartbeat(WORKERS, 20 * NS_PER_MS)
    reset_ns = None
    for now_ns in range(0, 30 * NS_PER_S, 10 * NS_PER_MS):
        for name in WORKERS:
            if name != wedged or now_ns < 5 * NS_PER_S:
                heartbeat.progress(name)
        if heartbeat.should_toggle(now_ns):
            watchdog.pet(now_ns)
        if driver.has_reset_by(now_ns):
            reset_ns = now_ns
            break
    watchdog.close(is_safe=False)

    assert reset_ns is not None
    assert 13 * NS_PER_S < reset_ns <= 15.1 * NS_PER_S


def test_petting_at_any_pace_writes_a_few_times_in_the_watchdogs_time(make_driver):
    driver = make_driver()
    watchdog = opened(driver)
    for now_ns in range(0, 10 * NS_PER_S, 10 * NS_PER_MS):
        watchdog.pet(now_ns)

    assert len(os.read(driver._pipe, 4096)) == 6
    watchdog.close(is_safe=True)


def test_time_that_the_driver_rounds_is_read_back(make_driver):
    watchdog = opened(make_driver(step_s=8), 10)

    assert (watchdog.timeout_s, watchdog.identity) == (16, "pretend")
    watchdog.close(is_safe=True)


def test_driver_with_one_time_only_is_used_with_that(make_driver):
    watchdog = opened(make_driver(takes_timeouts=False), 10)

    assert watchdog.timeout_s == 60
    watchdog.close(is_safe=True)


def test_time_out_of_the_drivers_bounds_is_refused_and_the_watchdog_is_not_left_running(make_driver):
    driver = make_driver(longest_s=15)

    with pytest.raises(LineError, match=r"\(pretend\) cannot wait for watchdog.timeout_s = 30; choose another"):
        opened(driver, 30)
    assert not driver.is_running()


def test_device_that_takes_no_more_is_told_of(tmp_path, make_driver):
    driver = make_driver()
    watchdog = opened(driver)
    os.set_blocking(watchdog._file, False)
    while True:
        try:
            os.write(watchdog._file, b"\0" * 4096)
        except BlockingIOError:
            break

    with pytest.raises(LineError, match=r"takes no sign of life: .*; expect a reset within 10 s"):
        watchdog.pet(0)
    watchdog.close(is_safe=False)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EBUSY, "is held by another program; if that is systemd"),
        (errno.EACCES, "may not be opened by this user; give the station's user the device"),
        (errno.ENODEV, "has no driver; load the driver"),
        (errno.EIO, "cannot be opened: Input/output error; look at"),
    ],
)
def test_device_that_cannot_be_had_says_why_and_what_to_do(monkeypatch, tmp_path, number, words):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)

    with pytest.raises(LineError, match=f"watchdog.device {tmp_path}/watchdog {words}"):
        KernelWatchdog(tmp_path / "watchdog", 10)


def test_absent_device_says_what_to_do(tmp_path):
    with pytest.raises(LineError, match=r"watchdog is not there; load the driver .* or set watchdog.device empty"):
        KernelWatchdog(tmp_path / "watchdog", 10)


def test_file_that_is_no_watchdog_is_refused_and_left_as_it_was(tmp_path):
    (tmp_path / "notes").write_text("kept")

    with pytest.raises(LineError, match="notes is no watchdog"):
        KernelWatchdog(tmp_path / "notes", 10)
    assert (tmp_path / "notes").read_text() == "kept"
