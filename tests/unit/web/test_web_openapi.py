"""The OpenAPI document says everything that the API takes and gives, and the API does what it says."""

from __future__ import annotations

import json
import re

import pytest
from pydantic import BaseModel, Field

from app.errors import UsageError
from app.web.access.permissions import PERMISSIONS
from app.web.access.roles import Role
from app.web.answers import HealthAnswer, PartsAnswer, StatusAnswer
from app.web.describing import describe, routes_of
from app.web.openapi import MARK, Documented, asked, sent
from app.web.reference import outline


@pytest.fixture
def document(bench):
    return bench.client.get("/api/v1/openapi.json").json


def operations(document):
    return {(method, path): said for path, each in document["paths"].items() for method, said in each.items()}


def test_every_route_of_the_api_says_what_it_takes_and_gives(bench):
    assert sorted(rule.rule for rule, said in routes_of(bench.app) if said is None) == []


def test_every_operation_says_in_words_what_it_does(document):
    assert [key for key, said in operations(document).items() if not said["summary"]] == []


def test_every_reference_leads_to_a_schema(document):
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))

    assert named
    assert sorted(named - set(document["components"]["schemas"])) == []


def test_operations_have_names_of_their_own(document):
    names = [said["operationId"] for said in operations(document).values()]

    assert len(names) == len(set(names))


def test_document_says_of_each_operation_what_the_table_of_permissions_says(bench, document):
    said = operations(document)
    for rule, each in routes_of(bench.app):
        if each is None:
            continue
        path = re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", r"{\1}", rule.rule)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            operation, role = said[method.lower(), path], PERMISSIONS[rule.endpoint].role
            assert operation["x-role"] == role.word
            assert ("security" in operation) == (role is not Role.NONE)
            assert role is Role.NONE or "401" in operation["responses"]
            assert not PERMISSIONS[rule.endpoint].asks_again or "428" in operation["responses"]


def test_every_operation_documents_the_refusals_that_all_have(document):
    for said in operations(document).values():
        assert {"400", "403", "429"} <= set(said["responses"])


def test_every_place_in_a_path_is_a_parameter(document):
    for (_, path), said in operations(document).items():
        places = {each["name"] for each in said["parameters"] if each["in"] == "path"}
        assert places == set(re.findall(r"\{(\w+)\}", path))


def test_answers_are_what_their_models_say(bench):
    found = [["short", 0.91, 10, 20, 30, 40]]
    text = "short 0.91 at x=10 y=20, 30 x 40 px, threshold 0.5"
    bench.publish()
    bench.judged(1, "reject", text, "DEFECT", found)
    bench.look()

    assert PartsAnswer.model_validate_json(bench.client.get("/api/v1/parts").data).parts[0].findings[0].label == "short"
    assert StatusAnswer.model_validate_json(bench.client.get("/api/v1/status").data).status.lot == "A"
    assert HealthAnswer.model_validate_json(bench.client.get("/api/v1/health").data).is_alive


def test_page_shows_every_operation(bench, document):
    page = bench.client.get("/api/").get_data(as_text=True)

    assert [
        said["operationId"] for said in operations(document).values() if f'id="{said["operationId"]}"' not in page
    ] == []
    assert "<script>" not in page
    assert " style=" not in page


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/status/", "/api/v2/status"])
def test_wrong_address_of_the_api_is_refused_in_json(bench, path):
    answer = bench.client.get(path)

    assert answer.status_code in (403, 404)
    assert set(answer.json) == {"what", "mend"}


def test_wrong_method_says_which_are_right(bench):
    answer = bench.client.get("/api/v1/lanes/1/stop")

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


# Reading and refusing


class Filter(BaseModel):
    """As a view has one."""

    kinds: list[str] = []
    most: int = Field(10, ge=1, le=100)


@pytest.mark.parametrize(
    ("query", "expected"),
    [("", ([], 10)), ("kinds=a&kinds=b&most=3", (["a", "b"], 3)), ("nothing=1&lang=de", ([], 10))],
)
def test_query_is_read_into_its_model(bench, query, expected):
    with bench.app.test_request_context(f"/?{query}"):
        found = asked(Filter)

    assert (found.kinds, found.most) == expected


@pytest.mark.parametrize("query", ["most=0", "most=x", "most=", "most=1e9"])
def test_query_that_makes_no_sense_says_which_value(bench, query):
    with bench.app.test_request_context(f"/?{query}"), pytest.raises(UsageError, match=r"^most: "):
        asked(Filter)


@pytest.mark.parametrize("content", ["[]", "1", "null", "{", '"a"', "\ud83d".encode("utf-8", "replace").decode()])
def test_body_that_is_no_object_is_one_clear_error(bench, content):
    with (
        bench.app.test_request_context("/", method="POST", data=content, content_type="application/json"),
        pytest.raises(UsageError, match="what was sent is no JSON object"),
    ):
        sent(Filter)


def test_two_models_of_one_name_are_kept_apart(bench):
    class StatusAnswer(BaseModel):
        """Another one."""

        other: int

    view = bench.app.view_functions["api.health"]
    before = getattr(view, MARK)
    setattr(view, MARK, Documented(StatusAnswer))
    try:
        made = describe(bench.app, PERMISSIONS)
    finally:
        setattr(view, MARK, before)

    said = made["paths"]["/api/v1/health"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    assert list(made["components"]["schemas"][said.rpartition("/")[2]]["properties"]) == ["other"]


def test_outline_shows_the_shape_of_a_value():
    schemas = {"Inner": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": ["x", "y"]}}}}
    schema = {
        "type": "object",
        "properties": {
            "one": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "many": {"type": "array", "items": {"$ref": "#/components/schemas/Inner"}},
            "by_name": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }

    assert outline(schema, schemas) == {
        "one": "number | null",
        "many": [{"a": "integer", "b": "x | y"}],
        "by_name": {"...": "string"},
    }
