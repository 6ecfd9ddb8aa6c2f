"""The process table: which rows a box has, where they run, how long they wait."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.config import load_line
from app.errors import ConfigError
from app.processes import Kind, Restart, Sign, cores_of, name_of, row_of, table
from app.setup import twin_line

TWIN = load_line(twin_line())


def lane(number, **changes):
    return TWIN.model_copy(update={"line": TWIN.line.model_copy(update={"lane": number}), **changes})


def camera(**changes):
    return TWIN.cameras[0].model_copy(update=changes)


def names(rows):
    return [row.name for row in rows]


ONE = table({Path("/etc/takt/line.toml"): TWIN})
TWO = table({Path("/a.toml"): lane(1), Path("/b.toml"): lane(2)})


def test_one_lane_has_a_process_each_and_the_station_starts_when_its_machine_and_recorder_do():
    assert names(ONE) == ["twin", "capture-top", "recorder", "station", "web"]


def test_every_lane_has_a_station_and_every_camera_a_capture():
    assert names(TWO) == [
        "twin",
        "capture-top",
        "lane2-twin",
        "lane2-capture-top",
        "recorder",
        "station",
        "lane2-station",
        "web",
    ]


def test_one_accelerator_serves_all_lanes_where_one_of_them_wants_it():
    wanting = TWIN.model.model_copy(update={"accelerator": "auto", "standby": "none"})
    rows = table({Path("/a.toml"): lane(1), Path("/b.toml"): lane(2, model=wanting)})

    assert names(rows).count("accelerator") == 1
    assert row_of(rows, "accelerator").entry == ("accelerator", "--line", "/a.toml", "--line", "/b.toml")
    assert names(rows).index("accelerator") < names(rows).index("station")
    assert not row_of(rows, "accelerator").is_essential, "the stations judge without it"


def test_a_real_line_has_no_twin():
    rows = table({Path("/l.toml"): lane(1, cameras=(camera(driver="opencv", source="/dev/video0"),))})

    assert Kind.TWIN not in {row.kind for row in rows}


def test_the_recorder_and_the_web_serve_every_lane():
    for kind in ("recorder", "web"):
        assert row_of(TWO, kind).entry == (kind, "--line", "/a.toml", "--line", "/b.toml")


def test_two_files_of_one_lane_are_refused_by_name():
    with pytest.raises(ConfigError, match=r"lane 1 is described by /a\.toml and by /b\.toml"):
        table({Path("/a.toml"): lane(1), Path("/b.toml"): lane(1)})


def test_no_line_is_nothing_to_run():
    with pytest.raises(ConfigError, match="no line"):
        table({})


def test_names_are_unique_and_fit_for_files_whatever_the_cameras_are_called():
    cameras = tuple(camera(name=name) for name in ("a b", "a_b", "a-b", "a.b"))
    rows = table({Path("/l.toml"): lane(1, cameras=cameras)})

    assert len(set(names(rows))) == len(rows)
    assert not any(set(row.name) & set(" /") for row in rows)


def test_a_row_is_found_from_the_words_of_its_own_command():
    assert row_of(TWO, "station", 2).name == "lane2-station"
    assert row_of(TWO, "capture", 2, "top").name == "lane2-capture-top"
    assert row_of(ONE, "station").name == "station"


@pytest.mark.parametrize(("kind", "camera_name"), [("oven", ""), ("capture", "side")])
def test_a_process_that_the_line_does_not_have_is_refused(kind, camera_name):
    with pytest.raises(ConfigError, match="has no process"):
        row_of(ONE, kind, 1, camera_name)


def test_a_lane_keeps_its_names_whether_it_is_alone_or_not():
    alone = table({Path("/b.toml"): lane(2)})

    assert "lane2-station" in names(alone)
    assert name_of(Kind.CAPTURE, 1, "top left") == "capture-top:left"


def test_gates_come_before_frames_and_frames_before_verdicts():
    priority = {f"{row.name} {name}": each.priority for row in ONE for name, each in row.threads.items()}

    # The machine itself is not made to wait; a frame is taken before the one before it is judged.
    assert sorted(priority, key=priority.get, reverse=True)[:4] == [
        "twin main",
        "station line",
        "capture-top main",
        "station verdict",
    ]
    assert priority["web main"] == priority["recorder main"] == 0


def test_the_station_ends_first_and_everything_within_two_seconds():
    orders = {row.stop.order: row.stop.limit_ms for row in ONE}
    first = min(ONE, key=lambda row: row.stop.order)

    assert first.kind is Kind.STATION
    assert sum(orders.values()) < 2000


def test_only_the_pages_may_be_absent():
    assert [row.name for row in ONE if not row.is_essential] == ["web"]


def test_the_station_is_watched_by_its_status_and_the_pages_by_their_answer():
    signs = {row.name: row.watchdog.sign for row in ONE}

    assert signs["station"] is Sign.STATUS
    assert signs["web"] is Sign.PAGE
    assert {signs[name] for name in ("twin", "capture-top", "recorder")} == {Sign.BEAT}


def test_a_camera_that_takes_long_to_open_is_given_longer_and_found_hung_within_seconds():
    def longest_ms(**changes):
        rows = table({Path("/l.toml"): lane(1, cameras=(camera(**changes),))})
        return row_of(rows, "capture").watchdog.max_age_ms

    assert longest_ms(driver="twin") <= 2_000
    assert longest_ms(driver="folder", source="/pictures") <= 2_000
    assert {longest_ms(driver=each, source="x") for each in ("gige", "csi", "opencv")} == {8_000}


def test_a_network_camera_may_use_the_network_and_a_device_only_itself():
    remote, device = (
        row_of(table({Path("/l.toml"): lane(1, cameras=(camera(driver="opencv", source=source),))}), "capture")
        for source in ("rtsp://10.0.0.7/1", "/dev/video0")
    )

    assert (remote.needs_network, remote.devices) == (True, ())
    assert (device.needs_network, device.devices) == (False, ("char-video4linux",))


# Cores


@pytest.mark.parametrize("cores", [[0], [0, 1], [0, 1, 2]])
def test_few_cores_are_for_everybody(cores):
    assert {cores_of(row, ONE, cores) for row in ONE} == {()}


@pytest.mark.parametrize("cores", [range(4), range(6), [1, 3, 5, 7, 9], range(64)])
def test_with_enough_cores_the_station_has_its_own(cores):
    station = row_of(ONE, "station")
    own = set(cores_of(station, ONE, cores))
    others = {core for row in ONE if row is not station for core in cores_of(row, ONE, cores)}

    assert len(own) >= 2
    assert not own & others
    assert own | others == set(cores)


def test_two_stations_do_not_meet_where_there_is_room_and_share_where_there_is_not():
    stations = [row for row in TWO if row.kind is Kind.STATION]

    assert [cores_of(row, TWO, range(8)) for row in stations] == [(4, 5), (6, 7)]
    assert [cores_of(row, TWO, range(4)) for row in stations] == [(2, 3), (2, 3)]


# Restart


def test_the_station_is_back_at_once_and_then_waits_longer_each_time():
    restart = row_of(ONE, "station").restart

    assert [restart.delay_ms(ends) for ends in range(7)] == [0, 500, 1000, 2000, 4000, 8000, 10_000]


def test_a_station_has_proven_itself_sooner_than_the_others():
    assert row_of(ONE, "station").restart.reset_s < row_of(ONE, "web").restart.reset_s


def test_no_wait_grows_beyond_the_longest_however_often_it_crashes():
    assert Restart().delay_ms(1_000_000) == 10_000


def test_a_command_names_bus_and_state():
    row = replace(row_of(ONE, "capture"), entry=("capture", "--camera", "top"))

    words = row.words(Path("/bus"), Path("/state"))

    assert words == ["process", "capture", "--camera", "top", "--bus", "/bus", "--state", "/state"]
    assert row.command(Path("/bus"), Path("/state"), ["--port", "1"])[-2:] == ["--port", "1"]
