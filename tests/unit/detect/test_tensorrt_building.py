"""What is asked of TensorRT's builder, on a fake one that looks like 10.3, like 11, or like neither."""

import pytest

from app.errors import ConfigError, PackageError
from tests.unit.detect.gpu_bench import facts
from tests.unit.detect.tiny_model import tiny_package


@pytest.fixture
def package(tmp_path):
    return tiny_package(tmp_path / "tiny")


def test_types_are_the_onnx_files_and_float32_is_float32(bench, package):
    bench.build.build_plan(package)
    assert bench.library.networks[0].flags == 1 << 1
    assert bench.library.configs[0].cleared == ["tf32"]
    assert bench.library.configs[0].flags == []


def test_library_without_the_flag_for_strong_types_is_not_asked_for_them(make_bench, package):
    bench = make_bench(without=("NetworkDefinitionCreationFlag",))
    bench.library.module.NetworkDefinitionCreationFlag = object
    bench.build.build_plan(package)
    assert bench.library.networks[0].flags == 0


def test_workspace_is_limited(bench, package):
    bench.build.build_plan(package, bench.build.BuildOptions(workspace_bytes=12345))
    assert bench.library.configs[0].workspace == 12345


def test_every_kernel_is_timed_several_times(bench, package):
    bench.build.build_plan(package)
    assert bench.library.configs[0].avg_timing_iterations == 8


def test_timings_go_from_one_build_into_the_next(bench, package):
    first = bench.build.build_plan(package)
    assert first.timings == b"fake timings"
    bench.build.build_plan(package, timings=first.timings)
    assert bench.library.configs[1].timings == b"fake timings"


def test_timings_that_do_not_fit_are_passed_over(bench, package):
    built = bench.build.build_plan(package, timings=b"of another GPU")
    assert bench.library.configs[0].timings == b""
    assert built.timings == b"fake timings"


def test_timings_are_kept_beside_the_engines_and_shared_by_all_models(bench, package, tmp_path):
    bench.open(package)
    bench.open(tiny_package(tmp_path / "colour", channels=3))
    assert [each.timings for each in bench.library.configs] == [b"", b"fake timings"]


def test_tensorrt_rtx_is_asked_for_an_engine_that_can_be_recorded_and_for_no_timings(make_bench, package):
    bench = make_bench(is_rtx=True)
    built = bench.build.build_plan(package)
    assert bench.build.FLAVOUR == "TensorRT-RTX"
    assert built.timings == b""
    assert bench.library.configs[0].flags == ["require_user_allocation"]
    assert bench.library.configs[0].timings is None


def test_dla_core_is_taken_with_the_gpu_for_what_it_cannot_do(make_bench, package):
    bench = make_bench(dla_cores=2)
    bench.facts = facts(dla_cores=2)
    bench.open(package, dla_core=1)
    config = bench.library.configs[0]
    assert (config.default_device_type, config.DLA_core, config.flags) == ("dla", 1, ["gpu_fallback"])


@pytest.mark.parametrize(
    ("cores", "words"),
    [(0, "has none that this TensorRT can use; build without"), (1, "has 1, numbered from 0; build without")],
)
def test_dla_core_that_is_not_there_is_refused_in_words(make_bench, package, cores, words):
    bench = make_bench(dla_cores=cores)
    with pytest.raises(ConfigError, match=f"DLA core 1 is asked for and the device {words}"):
        bench.build.build_plan(package, bench.build.BuildOptions(dla_core=1))


def test_tensorrt_builds_for_no_gpu_but_this_one(bench, package):
    with pytest.raises(ConfigError, match=r"TensorRT 10\.3\.0 cannot build for compute capability 8\.6 on another"):
        bench.build.build_plan(package, bench.build.BuildOptions(capability="8.6"))


def test_progress_is_told_in_order(bench, package):
    steps = []
    bench.build.build_plan(package, on_progress=lambda *step: steps.append(step))
    assert steps == [("Building", 0, 2), ("Building", 1, 2), ("Building", 2, 2), ("Building", 2, 2)]


def test_library_without_progress_builds_all_the_same(make_bench, package):
    bench = make_bench(without=("IProgressMonitor",))
    assert bench.build.build_plan(package).plan


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_interruption_stops_the_build_and_goes_on(bench, package, interruption, monkeypatch):
    ended = []
    real = bench.library.module.Builder

    def builder(logger):
        made = real(logger)
        build = made.build_serialized_network

        def until_told_otherwise(network, config):
            config.progress_monitor.phase_start("Building", None, 1)
            while config.progress_monitor.step_complete("Building", 0):
                pass
            ended.append(True)
            return build

        made.build_serialized_network = until_told_otherwise
        return made

    monkeypatch.setattr(bench.library.module, "Builder", builder)

    def interrupt(*_):
        raise interruption

    with pytest.raises(interruption):
        bench.build.build_plan(package, on_progress=interrupt)
    assert ended == [True]


@pytest.mark.parametrize(
    "said",
    [
        "[a.cpp::b::1] Error Code 10: Internal Error (Could not find any implementation)",
        "[pass.cpp:337: check_op_compatibility] Could not find any implementation",
    ],
)
def test_build_that_gives_nothing_says_why(bench, package, monkeypatch, said):
    real = bench.library.module.Builder

    def builder(logger):
        made = real(logger)

        def fail(_network, _config):
            logger.log(logger.ERROR, said)
            logger.log(logger.ERROR, "what follows from it")

        made.build_serialized_network = fail
        return made

    monkeypatch.setattr(bench.library.module, "Builder", builder)
    with pytest.raises(PackageError, match=r"cannot be built by TensorRT 10\.3\.0: Could not find any implementation;"):
        bench.build.build_plan(package)
