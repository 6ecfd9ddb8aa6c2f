"""V4L2: our driver on the kernel's own test camera."""


def test_v4l2_driver_passes_its_checks_on_vivid(guest):
    report = guest.report("tests.hil.check_v4l2", timeout_s=400)

    assert report["failed"] == []
    assert report["checks"] >= 10
