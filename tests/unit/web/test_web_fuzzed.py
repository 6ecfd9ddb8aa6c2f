"""Whatever is sent to the API, it answers with what its document says, and never with a failure of its own.

Schemathesis makes requests from the document, sound ones and broken ones, and holds the answers against it.
"""

from __future__ import annotations

import sys

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.support.checks import Checks
from app.web.access.floods import Bucket
from app.web.access.roles import Role
from app.web.machine import bundle_pages


def no_failure_of_its_own(_ctx, response, _case):
    """No 500. A documented 503 is right: no station answers here."""
    assert response.status_code != 500, response.text


CHECKS = [no_failure_of_its_own, status_code_conformance, content_type_conformance, response_schema_conformance]
ENDLESS = "/api/v1/stream"
FEW, MANY = 6, 300


@pytest.fixture
def generous(bench, monkeypatch):
    """A box that lets any number of requests in: this is not about floods."""
    monkeypatch.setattr(Bucket, "take", lambda _self, _who: 0.0)
    # A bundle for every request would be right, and take minutes.
    monkeypatch.setattr(bundle_pages, "PROGRAM", (sys.executable, "-c", "print('PK')"))
    monkeypatch.setattr(Checks, "start", lambda _self, _by: True)  # a child of each request would load the machine
    bench.publish()
    bench.judged(1)
    bench.look()
    return bench


@pytest.fixture
def count(is_long):
    return MANY if is_long else FEW


def beaten(bench, count, headers, cookies):
    """Sends so many requests of each operation; gives which path answered with which status."""
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", bench.app)
    found = [each.ok() for each in schema.get_all_operations()]
    return {
        (operation.path, status)
        for operation in found
        if operation.path != ENDLESS
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        if mode is GenerationMode.POSITIVE or takes_anything(operation)
        for status in beat(operation.as_strategy(generation_mode=mode), count, headers, cookies)
    }


def takes_anything(operation):
    """There is something that could be wrong."""
    return bool(operation.query or operation.body)


def beat(cases, count, headers, cookies):
    statuses = set()

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def send(case):
        # What a browser's cookie jar and the page's own module would add.
        statuses.add(case.call_and_validate(checks=CHECKS, headers=headers, cookies=cookies).status_code)

    send()
    return statuses


def test_nobody_gets_more_than_a_documented_refusal(generous, count):
    answers = beaten(generous, count, {}, {})

    assert ("/api/v1/status", 200) in answers
    assert ("/api/v1/people", 401) in answers


def test_admin_gets_documented_answers_only(generous, count):
    headers = generous.as_role(Role.ADMIN)
    cookie = generous.client.get_cookie("takt")

    answers = beaten(generous, count, headers, {"takt": cookie.value})

    assert ("/api/v1/people", 200) in answers
