"""Whoever fails waits, each time longer: per person, per address, over restarts, and whatever the clock does."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from app.clock import NS_PER_S, VirtualClock
from app.config import UiSettings
from app.web.access.floods import Bucket, Limits, Rate, block_of
from app.web.access.hashing import Cost, Hasher
from app.web.access.lockout import RULES, Lockout
from app.web.access.refusals import RefusedError
from app.web.access.roles import Role
from app.web.access.service import open_access
from app.web.access.signing_in import sign_in
from app.web.store.database import FOLDER, Store
from tests.unit.web.bench import lay_store
from tests.unit.web.people import PASSWORD, PIN, add_person

HERE = {"address": "192.0.2.7", "agent": "test"}


class Context:
    def __init__(self, access):
        self.access = access


@pytest.fixture
def clock():
    return VirtualClock(NS_PER_S)


@pytest.fixture
def access(tmp_path, clock):
    lay_store(tmp_path)
    store = Store(tmp_path / FOLDER)
    made = open_access(store, clock, UiSettings(), hasher=Hasher(Cost(1, 8)))
    never = Rate(1e9, 1e9)
    yield replace(made, limits=Limits(clock, never, never, never))
    store.close()


@pytest.fixture
def anna(access):
    return add_person(Context(access), "Anna", Role.ADMIN)


def later(clock, seconds):
    clock.advance_to(clock.now_ns() + round(seconds * NS_PER_S))


def tried(access, pin, name="Anna", **where):
    """What came of an attempt: its status, 200 where it opens."""
    try:
        sign_in(access, name, "pin", pin, **{**HERE, **where})
    except RefusedError as error:
        return error.code
    return 200


def test_five_mistakes_cost_nothing(access, anna):
    assert [tried(access, "111222") for _ in range(5)] == [401] * 5
    assert tried(access, PIN) == 429


def test_success_forgets_the_mistakes(access, anna):
    for _ in range(3):
        assert [tried(access, "111222") for _ in range(4)] == [401] * 4
        assert tried(access, PIN) == 200


def test_wait_doubles_and_ends(access, anna, clock):
    waits = []
    for _ in range(16):
        tried(access, "111222")
        waits.append(access.lockout.of(["Anna"])["Anna"].wait_s)
        later(clock, waits[-1])

    assert waits == [0, 0, 0, 0, 5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900]


def test_locked_person_is_told_how_long(access, anna, clock):
    for _ in range(7):
        tried(access, "111222")
        later(clock, access.lockout.of(["Anna"])["Anna"].wait_s)
    tried(access, "111222")
    later(clock, 10)

    with pytest.raises(RefusedError) as refused:
        sign_in(access, "Anna", "pin", PIN, **HERE)

    assert refused.value.more_headers["Retry-After"] == "30"


def test_attempt_while_locked_counts_for_nothing(access, anna, clock):
    for _ in range(5):
        tried(access, "111222")
    for _ in range(50):
        assert tried(access, "111222") == 429
    later(clock, 5)

    assert tried(access, PIN) == 200


def test_restart_forgets_nothing(access, anna, clock, tmp_path):
    for _ in range(5):
        tried(access, "111222")
    access.store.close()

    assert Lockout(Store(tmp_path / FOLDER), clock).of(["Anna"])["Anna"].wait_s == 5


def test_admin_unlocks(access, anna):
    for _ in range(5):
        tried(access, "111222")
    access.lockout.unlock("anna")

    assert tried(access, PIN) == 200


def test_unknown_name_is_locked_like_a_known_one(access, anna):
    known = [tried(access, "111222") for _ in range(7)]
    unknown = [tried(access, "111222", name="Nobody") for _ in range(7)]

    assert known == unknown == [401] * 5 + [429] * 2


def test_capitals_are_no_way_around(access, anna):
    for name in ("Anna", "ANNA", "anna ", "\uff41\uff4e\uff4e\uff41", " aNNa"):
        tried(access, "111222", name=name)

    assert tried(access, PIN) == 429


def test_address_that_tries_many_names_waits_too(access, anna, clock):
    for number in range(RULES["address"].free):
        assert tried(access, "111222", name=f"name {number}") == 401

    assert tried(access, PIN) == 429
    assert tried(access, PIN, address="192.0.2.8") == 200


def test_address_is_never_locked_for_long(access, anna, clock):
    for number in range(60):
        tried(access, "111222", name=f"name {number}")
        later(clock, 60)

    assert tried(access, PIN) == 200


@pytest.mark.parametrize("jump", [-400, 400], ids=["back", "ahead"])
def test_clock_that_jumped_locks_nobody_for_longer(access, anna, clock, jump):
    for _ in range(5):
        tried(access, "111222")
    clock._epoch = clock._epoch.replace(year=clock._epoch.year + (1 if jump > 0 else -1))

    assert access.lockout.of(["Anna"])["Anna"].wait_s <= 5


def test_ten_thousand_wrong_pins_open_nothing(access, anna, clock, is_long):
    """A day and a half of guessing without a pause, past the PIN itself; the short run takes the middle of it."""
    guesses = range(397_975, 407_975) if is_long else range(402_475, 403_475)
    opened, tested = [], 0
    for guess in guesses:
        later(clock, 13)
        if not access.lockout.attempt("Anna", "192.0.2.7"):
            tested += 1
            opened += [guess] if access.hasher.agrees(anna.pin, f"{guess:06d}") else []

    assert opened == []
    assert tested < len(guesses) / 30


def test_wrong_pins_from_everywhere_at_once_open_nothing(access, anna):
    codes = [tried(access, f"{guess:06d}", address=f"192.0.2.{guess}") for guess in range(100)]

    assert codes.count(401) == 5
    assert set(codes) == {401, 429}


def test_attempts_at_once_are_each_counted(access, anna):
    """Between asking whether one may and noting that it failed there is no gap to slip through."""
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(tried(access, "111222"))) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert codes.count(401) <= 5


def test_flood_of_made_up_names_is_forgotten(access, anna, clock):
    for number in range(20):
        access.lockout.attempt(f"name {number}", f"192.0.2.{number}")
    later(clock, 25 * 3600)
    for number in range(500):
        access.lockout._attempts = number
        if number % 500 == 0:
            access.lockout.attempt("somebody", "192.0.2.200")
    with access.store.reading() as connection:
        kept = connection.exec_driver_sql("SELECT count(*) FROM failures").scalar()

    assert kept == 2


# Hashes


def test_who_is_not_there_costs_as_much(access, anna, monkeypatch):
    hashes = []
    hasher = Hasher(Cost(1, 8))
    real = hasher._argon2

    class Counting:
        def verify(self, known, secret):
            hashes.append(known)
            return real.verify(known, secret)

        check_needs_rehash = real.check_needs_rehash

    monkeypatch.setattr(hasher, "_argon2", Counting())
    counted = replace(access, hasher=hasher)

    assert [tried(counted, "111222", name=name) for name in ("Anna", "Nobody")] == [401, 401]
    assert len(hashes) == 2


def test_flood_is_turned_away_instead_of_starving_the_box():
    hasher = Hasher(Cost(1, 8), at_once=1, wait_s=0.01)
    with hasher._turn(), pytest.raises(RefusedError) as refused:
        hasher.agrees(None, "x")

    assert refused.value.code == 503
    assert refused.value.more_headers["Retry-After"]


def test_secret_of_yesterday_is_stored_at_the_cost_of_today(access, anna):
    dear = replace(access, hasher=Hasher(Cost(2, 16)))

    assert tried(dear, PIN) == 200
    assert "m=16,t=2" in access.people.find("Anna").pin
    assert tried(dear, PIN) == 200


def test_hash_that_is_damaged_lets_nobody_in(access, anna):
    access.people.keep_hash("anna", "pin", "damaged")

    assert tried(access, PIN) == 401


def test_pin_and_password_are_not_mixed_up(access, anna):
    assert not access.hasher.agrees(anna.pin, PASSWORD)
    assert not access.hasher.agrees(anna.password, PIN)


# Rates


def test_bucket_lets_a_burst_through_and_then_so_many_a_second(clock):
    bucket = Bucket(Rate(per_s=2, burst=3), clock)

    assert [bucket.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take("b") == 0
    later(clock, 0.5)
    assert bucket.take("a") == 0


def test_flood_from_ever_new_addresses_takes_no_memory(clock):
    bucket = Bucket(Rate(1, 1), clock)
    for number in range(10_050):
        bucket.take(str(number))

    assert len(bucket._levels) == 10_000


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_machine_that_chooses_its_address_counts_as_one(address, block):
    assert block_of(address) == block
