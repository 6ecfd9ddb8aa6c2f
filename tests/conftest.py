"""What every test shares: the long run, the real pictures, and the account of what was left out."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

from tests.groups import AGAIN, DATA, GROUPS, LONG, REAL_TIME, ROOT, group_of_skip

SHORT_EXAMPLES = 200
LONG_EXAMPLES = 10_000
_LEFT_OUT = pytest.StashKey[Counter]()
_UNREGISTERED = pytest.StashKey[list]()


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run soaks and property tests at their full length")
    parser.addoption("--examples", type=int, help="examples of each property test, the same ones every time")


def pytest_configure(config):
    config.stash[_LEFT_OUT] = Counter()
    config.stash[_UNREGISTERED] = []
    named = config.getoption("--examples")
    settings.register_profile(
        "takt",
        max_examples=named or (LONG_EXAMPLES if config.getoption("--long") else SHORT_EXAMPLES),
        deadline=None,  # no test of ours asserts on time, and the machine may be busy
        derandomize=bool(named or os.environ.get("CI")),
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )
    settings.load_profile("takt")


def pytest_collection_modifyitems(items):
    for item in items:
        if "data_dir" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.data)
        if any(item.path.is_relative_to(ROOT / each) for each in REAL_TIME):
            item.add_marker(pytest.mark.flaky(reruns=AGAIN))


def pytest_runtest_setup(item):
    if item.get_closest_marker("long") and not item.config.getoption("--long"):
        pytest.skip(LONG.reason)
    for group in GROUPS:
        if item.get_closest_marker(group.name) and not group.is_here():
            pytest.skip(group.reason)


@pytest.fixture(scope="session")
def data_dir():
    """The folder with the real pictures; tests that ask for it belong to the group `data`."""
    return DATA


@pytest.fixture(scope="session")
def is_long(pytestconfig):
    """Soaks run at their full length."""
    return pytestconfig.getoption("--long")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    if report.skipped:
        _note(collector.config, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _note(item.config, report)
    return report


def _note(config, report):
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    group = group_of_skip(reason)
    if group is None:
        config.stash[_UNREGISTERED].append(f"{report.nodeid}: {reason}")
    else:
        config.stash[_LEFT_OUT][group] += 1


def pytest_sessionfinish(session):
    if session.config.stash[_UNREGISTERED] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    out = terminalreporter
    if repeated := out.stats.get("rerun"):
        out.section("run again, as real processes had not kept up")
        for nodeid, times in sorted(Counter(each.nodeid for each in repeated).items()):
            out.line(f"{nodeid} ({times} of {AGAIN} times)")
    out.section("left out")
    for (name, why), count in sorted(config.stash[_LEFT_OUT].items()):
        out.line(f"{name} ({count}): {why}")
    examples = settings().max_examples
    if examples < LONG_EXAMPLES:
        out.line(f"long: property tests ran {examples:,} examples, not {LONG_EXAMPLES:,}; run: make test-long")
    elif not config.stash[_LEFT_OUT]:
        out.line("nothing")
    for skip in config.stash[_UNREGISTERED]:
        out.line(f"ERROR: left out for no registered reason (tests/groups.py): {skip}", red=True)
