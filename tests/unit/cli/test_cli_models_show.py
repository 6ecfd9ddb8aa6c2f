import pytest

from tests.unit.cli.conftest import only_sentence
from tests.unit.detect.tiny_model import write_package
from tests.unit.detect.two_models import write_two_models


@pytest.fixture
def pair(zoo):
    return write_two_models(zoo / "pair")


def test_every_model_of_a_package_is_shown(takt, pair):
    document, result = takt.json("models", "show", "pair")

    assert result.exit_code == 0
    assert [each["variant"] for each in document["models"]] == ["accelerator-fp32", "standby-int8"]
    first, second = document["models"]
    assert (first["role"], first["precision"], first["gmac"], first["golden_frames"]) == ("accelerator", "fp32", 0.4, 1)
    assert second["bytes"] == (pair / "standby.onnx").stat().st_size
    assert (document["from"], document["active"], document["classes"]) == ("zoo", None, ["left", "right"])


def test_people_are_shown_the_same(takt, pair):
    text = takt.run("models", "show", "pair").stdout

    for word in ("pair", "1.0.0", "standby-int8", "0.35", "left, right", "of the zoo", "card.md"):
        assert word in text


def test_the_model_that_judges_is_marked(takt, pair):
    takt.run("models", "activate", "pair:standby-int8")

    document, _ = takt.json("models", "show", "active")

    assert document["active"] == "standby-int8"
    assert [each["active"] for each in document["models"]] == [False, True]
    assert "yes, its model standby-int8" in takt.run("models", "show", "pair").stdout


def test_a_copy_is_told_from_the_package_of_the_zoo_that_is_called_the_same(takt, zoo, tmp_path):
    own = write_package(tmp_path / "elsewhere" / "tiny", version='"2.0.0"')
    takt.run("models", "activate", own)

    seen = {each: takt.json("models", "show", each)[0] for each in ("tiny", zoo / "tiny", own)}

    assert [each["from"] for each in seen.values()] == ["station", "zoo", "folder"]
    assert [each["active"] for each in seen.values()] == ["accelerator-fp32", None, None]


def test_the_card_is_printed_without_what_a_terminal_would_act_on(takt, zoo):
    (zoo / "tiny" / "card.md").write_text("# The tiny one\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\x1b]0;owned\x07\n")

    result = takt.run("models", "show", "tiny", "--card")

    assert "The tiny one" in result.stdout
    assert "\x1b" not in result.stdout
    assert takt.json("models", "show", "tiny", "--card")[0]["card_text"].startswith("# The tiny one")


@pytest.mark.parametrize("trouble", ["absent", "no text", "huge"])
def test_a_card_that_cannot_be_shown_is_one_sentence(takt, zoo, trouble, monkeypatch):
    card = zoo / "tiny" / "card.md"
    if trouble == "absent":
        card.unlink()
    elif trouble == "no text":
        card.write_bytes(b"\xff\xfe")
    else:
        monkeypatch.setattr("app.cli.models.show.MAX_CARD_BYTES", 3)

    result = takt.run("models", "show", "tiny", "--card")

    assert result.exit_code == 5
    assert "card" in only_sentence(result.stderr)
    assert takt.run("models", "show", "tiny").exit_code == 0


def test_a_broken_model_of_a_package_is_named(takt, pair):
    (pair / "standby.onnx").write_bytes(b"another")

    result = takt.run("models", "show", "pair")

    assert result.exit_code == 5
    assert "standby.onnx is not the file" in only_sentence(result.stderr)


def test_what_is_not_there_is_refused_with_the_names_that_are(takt):
    result = takt.run("models", "show", "absent")

    assert result.exit_code == 5
    assert "plain, tiny" in only_sentence(result.stderr)
