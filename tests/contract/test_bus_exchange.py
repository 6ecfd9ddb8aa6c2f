"""The contract of the exchange: one question, one answer, and nothing owed by the dead."""

import numpy as np
import pytest

from app.bus.exchange import ExchangeClient, ExchangeServer
from app.errors import BusError
from tests.contract.bus_peers import bus_folder

INPUT, OUTPUT = 5000, 300


@pytest.fixture
def path():
    with bus_folder() as folder:
        yield folder / "lane1.exchange"


@pytest.fixture
def server(path):
    server = ExchangeServer(path, INPUT, OUTPUT)
    yield server
    server.close()


@pytest.fixture
def client(path, server):
    server.offer({"variant": "accelerator-fp16"})
    client = ExchangeClient(path)
    yield client
    client.close()


def test_picture_goes_there_and_table_comes_back(server, client):
    client.input[:] = 7
    client.ask(cut_off_ns=123)
    assert client.is_busy
    assert server.asked() == 123
    server.output[:3] = server.input[:3] + 1
    server.answer(work_ns=44)
    assert server.asked() is None
    assert (client.is_busy, client.error, client.work_ns) == (False, "", 44)
    assert client.output[:3].tolist() == [8, 8, 8]


def test_reason_comes_back_in_place_of_a_table_and_is_gone_with_the_next_answer(server, client):
    client.ask(1)
    server.answer("CUDA error 700: an illegal memory access")
    assert client.error == "CUDA error 700: an illegal memory access"
    client.ask(2)
    server.answer()
    assert client.error == ""


@pytest.mark.parametrize("reason", ["x" * 5000, "ü" * 5000, "\0\n"])
def test_reason_of_any_length_and_letters_is_told_as_far_as_there_is_room(server, client, reason):
    client.ask(1)
    server.answer(reason)
    assert client.error
    assert reason.startswith(client.error)


def test_reason_with_bytes_that_are_no_text_is_told_without_them(server, client):
    client.ask(1)
    server.answer("driver said \udcff")
    assert client.error == "driver said ?"


def test_client_learns_what_answers(client):
    assert client.is_ready
    assert client.about() == {"variant": "accelerator-fp16"}


def test_server_that_has_not_said_what_it_is_is_not_ready(path, server):
    client = ExchangeClient(path)
    assert not client.is_ready
    with pytest.raises(BusError, match="says nothing whole"):
        client.about()


def test_successor_owes_nothing_of_what_its_predecessor_was_asked(path, server, client):
    client.ask(1)
    session = client.session
    server.close()
    assert client.is_busy
    assert not client.is_ready
    successor = ExchangeServer(path, INPUT, OUTPUT)
    assert not client.is_busy
    assert client.error == "the process before it ended"
    assert (client.session, client.is_ready) == (session + 1, False)
    successor.offer({})
    assert client.is_ready
    successor.close()


def test_what_a_predecessor_was_ready_for_is_no_offer_of_its_successor(server, client):
    server._segment.begin_session()  # as a successor does first, before it has said a word
    assert not client.is_ready
    assert not client.is_distrusted
    server.offer({})
    assert client.is_ready


def test_server_that_cannot_start_says_why(path, server, client):
    assert client.refusal == ""
    server.close("out of memory: the model needs 812 MiB")
    assert client.refusal == "out of memory: the model needs 812 MiB"
    successor = ExchangeServer(path, INPUT, OUTPUT)
    assert client.refusal == "", "it may do better"
    successor.close()


def test_server_that_leaves_at_somebodys_wish_is_told_from_one_that_failed(server, client):
    assert not client.has_left
    server.leave()
    assert (client.has_left, client.is_ready, client.refusal) == (True, False, "")
    server.close("too late to complain")
    assert client.has_left


def test_failure_whose_words_are_torn_is_still_no_answer(server, client):
    client.ask(1)
    server.answer("CUDA error 700")
    memory = server._segment.memory
    at = memory.find(b"CUDA error 700")
    memory[at : at + 4] = b"XXXX"
    assert client.error == "no reason was given"


def test_client_that_starts_anew_sees_that_an_answer_is_still_owed(path, server, client):
    client.ask(1)
    client.close()
    again = ExchangeClient(path)
    assert again.is_busy
    server.answer()
    assert not again.is_busy


def test_server_of_a_larger_model_takes_the_place_of_the_file(path, server, client):
    server.close()
    larger = ExchangeServer(path, 2 * INPUT, OUTPUT)
    assert client.is_retired
    assert not client.is_ready
    larger.offer({})
    assert len(ExchangeClient(path).input) == 2 * INPUT
    larger.close()


def test_late_word_of_distrust_does_not_meet_the_successor(path, server, client):
    session = client.session
    server.close()
    successor = ExchangeServer(path, INPUT, OUTPUT)
    client.distrust(session, "meant for the one before")
    assert successor.distrust == ""
    assert not client.is_distrusted
    successor.close()


def test_distrust_meets_one_server_and_not_its_successor(path, server, client):
    assert server.distrust == ""
    client.distrust(client.session, "golden frame 3 does not reproduce")
    assert server.distrust == "golden frame 3 does not reproduce"
    server.close()
    successor = ExchangeServer(path, INPUT, OUTPUT)
    assert successor.distrust == ""
    successor.close()


def test_only_one_server_answers(path, server):
    with pytest.raises(BusError, match="is being written by process"):
        ExchangeServer(path, INPUT, OUTPUT)


def test_pictures_and_tables_begin_on_pages_of_their_own(server):
    for each in (server.input, server.output):
        assert each.ctypes.data % 4096 == 0
    assert np.may_share_memory(server.input, server.output) is False


def test_description_that_does_not_fit_is_refused_and_not_cut(server):
    with pytest.raises(BusError, match="bytes of text do not fit"):
        server.offer({"words": "x" * 20_000})
    assert not server.asked()


@pytest.mark.parametrize("content", [b"", b"rubbish" * 1000])
def test_file_that_is_none_of_ours_is_named_and_replaced_by_a_server(path, content):
    path.write_bytes(content)
    with pytest.raises(BusError, match="is not a file of the bus"):
        ExchangeClient(path)
    ExchangeServer(path, INPUT, OUTPUT).close()
    ExchangeClient(path).close()


def test_client_without_a_server_is_told_where_one_comes_from(path):
    with pytest.raises(BusError, match="takt run"):
        ExchangeClient(path)
