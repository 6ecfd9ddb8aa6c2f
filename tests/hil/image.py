"""The guest's kernel and root file system: what they are made of, where they are kept, and how they are made.

`python -m tests.hil.image` makes what is missing (a few minutes, and the network). Both halves are named by the hash of
what they are made of, so that a change here makes a new one and an old one is never taken for it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement

SCRIPT = Path(__file__).resolve().parent / "kernel.sh"
CACHE = Path(os.environ.get("TAKT_HIL_CACHE") or Path.home() / ".cache" / "takt-hil")
TOOLS = {"mmdebstrap": "mmdebstrap", "qemu-system-x86_64": "qemu-system-x86", "mke2fs": "e2fsprogs"}
SUITE = "bookworm"
KERNEL_PACKAGES = (
    "linux-image-amd64",
    "linux-headers-amd64",
    "linux-source-6.1",
    "gcc",
    "make",
    "libc6-dev",
    "xz-utils",
    "kmod",
    "cpio",
    "busybox-static",
)
ROOT_PACKAGES = ("python3", "kmod", "libglib2.0-0")
PYTHON = "3.11"  # Debian 12's
SITE = "/usr/local/lib/python3.11/dist-packages"
DISTRIBUTIONS = ("gpiozero", "gpiod", "numpy", "pydantic", "opencv-python", "pytest", "pytest-timeout", "hypothesis")
HEADLESS = {"opencv-python": "opencv-python-headless"}  # the same module without its windows
GLIBC_TAGS = ("manylinux_2_34", "manylinux_2_31", "manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
SPARE_BYTES = 64 << 20


def pinned() -> tuple[str, ...]:
    """The Python distributions of the guest with what they need, in the versions of the environment that tests."""
    found: dict[str, str] = {}
    wanted = list(DISTRIBUTIONS)
    while wanted:
        distribution = importlib.metadata.distribution(wanted.pop())
        name = distribution.metadata["Name"].lower()
        if name in found:
            continue
        found[name] = f"{HEADLESS.get(name, name)}=={distribution.version}"
        needs = map(Requirement, distribution.requires or ())
        wanted += [
            need.name
            for need in needs
            if need.marker is None or need.marker.evaluate({"extra": "", "python_version": PYTHON})
        ]
    return tuple(sorted(found.values()))


def kernel_folder() -> Path:
    """Where the kernel `vmlinuz` and its `initrd.img` are kept."""
    return CACHE / f"kernel-{_hash(*KERNEL_PACKAGES, SCRIPT.read_text())}"


def root_file() -> Path:
    """Where the root file system is kept."""
    return CACHE / f"root-{_hash(SUITE, *ROOT_PACKAGES, *pinned())}.ext4"


def is_made() -> bool:
    """Whether a guest can be started without making anything."""
    try:
        return kernel_folder().is_dir() and root_file().is_file() and shutil.which("qemu-system-x86_64") is not None
    except importlib.metadata.PackageNotFoundError:
        return False


def make() -> None:
    """Makes what is missing.

    Raises:
        SystemExit: A tool is not installed, or one of them failed.
    """
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool, path=os.environ["PATH"] + ":/sbin")]
    if missing:
        sys.exit(f"takt: the guest's image needs tools; run: sudo apt-get install {' '.join(missing)}")
    CACHE.mkdir(parents=True, exist_ok=True)
    for place, make_it in ((kernel_folder(), _make_kernel), (root_file(), _make_root)):
        if not place.exists():
            print(f"takt: making {place}", flush=True)  # noqa: T201 - a build tells what it does
            with tempfile.TemporaryDirectory(dir=CACHE) as work:
                made = make_it(Path(work))
                made.rename(place)


def _make_kernel(work: Path) -> Path:
    made = work / "kernel"
    made.mkdir()
    _bootstrap(
        KERNEL_PACKAGES,
        Path("/dev/null"),
        f"copy-in {SCRIPT} /root",
        f'chroot "$1" sh /root/{SCRIPT.name}',
        f"copy-out /root/kernel.tar {work}",
        form="null",
    )
    _run("tar", "-xf", work / "kernel.tar", "-C", made)
    return made


def _make_root(work: Path) -> Path:
    site = work / "site"
    platforms = [word for tag in GLIBC_TAGS for word in ("--platform", f"{tag}_x86_64")]
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--no-compile", "--python-version", PYTHON, *platforms]
    _run(sys.executable, "-m", "pip", "install", "--target", site, *options, *pinned())
    _run("tar", "-cf", work / "site.tar", "-C", site, "--owner=0", "--group=0", ".")
    _bootstrap(
        ROOT_PACKAGES,
        work / "root.tar",
        'mkdir -p "$1/takt" "$1/new"',
        f"tar-in {work / 'site.tar'} {SITE}",
        f'chroot "$1" python3 -m compileall -q -j 0 {SITE} || true',
        form="tar",
    )
    (work / "root").mkdir()
    _run("tar", "-xf", work / "root.tar", "-C", work / "root", "--exclude=./dev/*", "--no-same-owner")
    held = sum(4096 + (path.lstat().st_size + 4095) // 4096 * 4096 for path in (work / "root").rglob("*"))
    made = work / "root.ext4"
    kilobytes = (held + SPARE_BYTES) // 1024
    made.touch()
    _run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", work / "root", made, f"{kilobytes}k")
    return made


def _bootstrap(packages: tuple[str, ...], target: Path, *hooks: str, form: str) -> None:
    slim = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale", "info")]
    wanted = [f"--include={','.join(packages)}", *slim, *(f"--customize-hook={hook}" for hook in hooks)]
    _run("mmdebstrap", "--quiet", "--variant=apt", f"--format={form}", *_proxies(), *wanted, SUITE, target, *_sources())


def _sources() -> list[Path]:
    """The host's own package sources, where they are those of Debian 12; without any, the tool knows Debian's."""
    folder = Path("/etc/apt")
    files = [folder / "sources.list", *sorted(folder.glob("sources.list.d/*.list"))]
    files += sorted(folder.glob("sources.list.d/*.sources"))
    return [file for file in files if file.is_file() and f"{SUITE}-updates" in file.read_text()]


def _proxies() -> list[str]:
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    return [f"--aptopt={line}" for line in dump.splitlines() if line.startswith("Acquire::http") and "::Proxy" in line]


def _run(*command: object) -> None:
    environ = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, env=environ, check=False)
    if done.returncode:
        sys.exit(f"takt: {command[0]} failed (code {done.returncode}); what it said stands above")


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


if __name__ == "__main__":
    make()
