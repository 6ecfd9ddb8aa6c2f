"""What the kiosk does about what it sees of its page."""

from dataclasses import replace

import pytest

from app.clock import NS_PER_S
from app.kiosk.care import Care, Deed, Limits, Seen
from app.kiosk.tab import Answer

URL = "http://127.0.0.1:8080/operator/"
WELL = Answer(URL, 200, "yes", is_drawn=True, is_visible=True, is_touched=False)
LIMITS = Limits(memory_mb=1000)


class Life:
    """A browser whose page shows its URL, and the seconds since."""

    def __init__(self, *, is_shown=True):
        self.care = Care(URL, LIMITS, 0)
        self.now_s = 0.0
        if is_shown:
            assert self.see().deed is Deed.SHOW
            assert self.see(answer=WELL).deed is Deed.NOTHING

    def see(self, at_s=None, **seen):
        self.now_s = self.now_s + 1 if at_s is None else at_s
        return self.care.look(Seen(**seen), round(self.now_s * NS_PER_S))

    def say(self, at_s=None, **said):
        return self.see(at_s, answer=replace(WELL, **said))


def silent(seconds, **more):
    return {"silent_ns": round(seconds * NS_PER_S), **more}


def test_a_page_that_answers_is_left_alone():
    life = Life()

    assert {life.say().deed for _ in range(1000)} == {Deed.NOTHING}
    assert life.care.is_shown


def test_nothing_is_shown_before_the_server_answers():
    life = Life(is_shown=False)

    assert life.see(is_up=False).deed is Deed.NOTHING
    assert life.see(is_up=True).deed is Deed.SHOW


def test_a_silent_page_is_loaded_again_and_the_second_time_the_browser_starts_again():
    life = Life()

    assert life.see(**silent(4.9)).deed is Deed.NOTHING
    assert life.see(**silent(5.1)).deed is Deed.AGAIN
    assert life.see(**silent(5.1)).deed is Deed.RESTART


def test_trouble_long_after_the_last_is_met_by_loading_again():
    life = Life()
    life.see(10, is_crashed=True)

    assert life.see(71, is_crashed=True).deed is Deed.AGAIN


def test_a_page_on_its_way_has_more_time():
    life = Life()

    assert life.see(**silent(9, is_arriving=True)).deed is Deed.NOTHING
    assert life.see(**silent(11, is_arriving=True)).deed is Deed.AGAIN


def test_a_browser_that_never_says_a_word_is_started_again():
    life = Life(is_shown=False)

    assert life.see(**silent(29, has_come=False, is_up=False)).deed is Deed.NOTHING
    assert life.see(**silent(31, has_come=False, is_up=False)).deed is Deed.RESTART


def test_a_closed_window_starts_the_browser_again():
    assert Life().see(is_gone=True).deed is Deed.RESTART


@pytest.mark.parametrize(
    "failure",
    [
        {"failure": "net::ERR_CONNECTION_REFUSED"},
        {"answer": replace(WELL, status=503)},
        {"answer": replace(WELL, href="chrome-error://chromewebdata/", status=0)},
    ],
)
def test_a_page_that_cannot_be_shown_is_waited_for_longer_each_time(failure):
    life = Life()
    waits = []
    for _ in range(6):
        assert life.see(**failure).deed is Deed.WAIT
        began_s = life.now_s
        waits.append(next(n for n in range(1, 99) if life.see(began_s + n).deed is Deed.SHOW))

    assert waits == [1, 1, 2, 4, 8, 10]


def test_an_answer_makes_up_for_failures_before():
    life = Life()
    for at_s in (10, 20, 30):
        life.see(at_s, failure="net::ERR_FAILED")
        life.see(at_s + 9)
    life.say()
    life.see(40, failure="net::ERR_FAILED")

    assert life.see(41).deed is Deed.SHOW


def test_an_untrusted_certificate_starts_the_browser_again_as_it_learns_its_key_then():
    step = Life().see(failure="net::ERR_CERT_AUTHORITY_INVALID")

    assert step.deed is Deed.RESTART
    assert "certificate" in step.why


@pytest.mark.parametrize("href", ["about:blank", "http://192.0.2.1/", "https://127.0.0.1:8080/operator/"])
def test_a_page_that_was_led_away_is_brought_home_at_once(href):
    assert Life().say(href=href).deed is Deed.SHOW


def test_an_address_that_leads_elsewhere_is_not_followed_round_and_round():
    life = Life(is_shown=False)
    life.see()

    assert life.say(href="http://192.0.2.1/").deed is Deed.WAIT


def test_another_page_of_the_box_stays_as_long_as_somebody_touches_it():
    life = Life()
    for at_s in range(10, 400, 10):
        assert life.say(at_s, href="http://127.0.0.1:8080/line/alarms", is_touched=True).deed is Deed.NOTHING

    assert life.say(509, href="http://127.0.0.1:8080/line/alarms").deed is Deed.NOTHING
    assert life.say(511, href="http://127.0.0.1:8080/line/alarms").deed is Deed.SHOW


def test_a_query_does_not_make_it_another_page():
    life = Life()

    assert life.say(500, href=f"{URL}?a=1#b").deed is Deed.NOTHING


def test_too_much_memory_waits_until_nobody_has_touched_the_page_for_a_minute():
    life = Life()
    life.say(100, is_touched=True)

    assert life.see(159, memory_mb=1001).deed is Deed.NOTHING
    assert life.see(161, memory_mb=1000).deed is Deed.NOTHING
    assert life.see(161, memory_mb=1001).deed is Deed.RESTART


def test_memory_may_be_left_unlimited():
    care = Care(URL, Limits(memory_mb=0), 0)

    assert care.look(Seen(memory_mb=1e6, is_up=False), 1000 * NS_PER_S).deed is Deed.NOTHING


def test_a_page_that_draws_no_more_starts_the_browser_again():
    life = Life()
    life.say(10)

    assert life.say(39, is_drawn=False).deed is Deed.NOTHING
    assert life.say(41, is_drawn=False).deed is Deed.RESTART


def test_a_screen_that_is_off_is_no_trouble():
    never_drawn = Life(is_shown=False)
    never_drawn.see()
    hidden = Life()

    assert {never_drawn.say(at_s, is_drawn=False).deed for at_s in range(1, 500)} == {Deed.NOTHING}
    assert {hidden.say(at_s, is_drawn=False, is_visible=False).deed for at_s in range(5, 500)} == {Deed.NOTHING}
