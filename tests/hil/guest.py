"""A virtual machine with a real Linux kernel, driven from the host by its agent and by QEMU's control socket."""

from __future__ import annotations

import itertools
import json
import select
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.groups import ROOT
from tests.hil import image

HERE = Path(__file__).resolve().parent
BOOT_S = 240
ANSWER_S = 20
SHARED_BYTES = "1M"  # the registers of the counter, and the file on the host that backs them


class GuestError(AssertionError):
    """The guest did not do what it was asked to; what it said last is in the text."""


def archive(name, content):
    """A cpio archive (newc) with one executable file, to be laid over an initial file system before it."""

    def entry(name, mode, content):
        fields = (1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)

    return entry(name, 0o100755, content) + entry("TRAILER!!!", 0, b"")


class Lines:
    """JSON objects, one a line, over a socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.rest = b""

    def tell(self, said):
        self.socket.sendall(json.dumps(said).encode() + b"\n")

    def hear(self, deadline_s):
        """The next object, or `None` when none came until `deadline_s` of the monotonic clock."""
        while b"\n" not in self.rest:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or not select.select([self.socket], [], [], left_s)[0]:
                return None
            piece = self.socket.recv(1 << 16)
            if not piece:
                return None
            self.rest += piece
        line, _, self.rest = self.rest.partition(b"\n")
        return json.loads(line)

    def close(self):
        self.socket.close()


class Guest:
    """A machine of one processor without network: Debian 12's kernel, its root file system and this checkout."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="takt-hil-"))
        self.console = self.folder / "console"
        self.numbers = itertools.count(1)
        self.boots = []
        initrd = (image.kernel_folder() / "initrd.img").read_bytes()
        (self.folder / "initrd").write_bytes(initrd + archive("init", (HERE / "init.sh").read_bytes()))
        self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        try:
            self.agent = Lines(self._socket("agent"))
            self.control = Lines(self._socket("control"))
            self.control.hear(time.monotonic() + ANSWER_S)
            self.order("qmp_capabilities")
            self.await_boot()
        except BaseException:
            self.close()
            raise

    def run(self, *argv, timeout_s=300, environ=None):
        """Runs a program in the guest to its end.

        Returns:
            Its exit code and what it wrote.
        """
        answer = self._ask("run", argv, timeout_s, environ)
        return answer["code"], answer["said"]

    def must(self, *argv, timeout_s=300, environ=None):
        """Runs a program that has to succeed, and returns what it wrote."""
        code, said = self.run(*argv, timeout_s=timeout_s, environ=environ)
        if code:
            raise GuestError(f"{' '.join(argv)} ended with {code}:\n{said}")
        return said

    def report(self, module, *arguments, timeout_s=300):
        """Runs a module of the checkout that has to succeed; the JSON object on the last line that it wrote."""
        said = self.must("python3", "-m", module, *map(str, arguments), timeout_s=timeout_s)
        return json.loads(said.strip().splitlines()[-1])

    def start(self, *argv, environ=None):
        """Starts a program and leaves it running: its process id, and the file in the guest that has what it writes."""
        answer = self._ask("start", argv, ANSWER_S, environ)
        if "pid" not in answer:
            raise GuestError(answer["said"])
        return answer["pid"], answer["said"]

    def await_text(self, file, text, wait_s=120):
        """Waits until a file in the guest has a text, and returns all of it."""
        return self.must("sh", "-c", f"until grep -q '{text}' {file}; do sleep 0.1; done; cat {file}", timeout_s=wait_s)

    def order(self, command, **arguments):
        """Gives QEMU an order."""
        self.control.tell({"execute": command, "arguments": arguments})
        deadline_s = time.monotonic() + ANSWER_S
        while said := self.control.hear(deadline_s):
            if "return" in said:
                return said["return"]
            if "error" in said:
                raise GuestError(f"{command}: {said['error']['desc']}")
        raise GuestError(f"QEMU did not answer {command}")

    def await_event(self, name, timeout_s):
        """Waits for an event of QEMU; whether it came."""
        deadline_s = time.monotonic() + timeout_s
        while said := self.control.hear(deadline_s):
            if said.get("event") == name:
                return True
        return False

    def forget_events(self):
        """Reads away the events that came until now."""
        while self.control.hear(time.monotonic() + 0.001):
            pass

    def await_boot(self):
        """Waits until the agent of a fresh boot has reported."""
        deadline_s = time.monotonic() + BOOT_S
        while said := self.agent.hear(deadline_s):
            if "boot" in said and said["boot"] not in [boot["boot"] for boot in self.boots]:
                self.boots.append(said)
                return said
        raise GuestError(f"the guest did not start (it has {BOOT_S} s):\n{self.last_words()}")

    def last_words(self):
        """The end of the guest's console."""
        return self.console.read_text(errors="replace")[-4000:] if self.console.exists() else "(no console)"

    def close(self):
        """Ends the machine. Idempotent."""
        self.process.kill()
        self.process.wait()
        for each in ("agent", "control"):
            if hasattr(self, each):
                getattr(self, each).close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ask(self, what, argv, timeout_s, environ):
        number = next(self.numbers)
        self.agent.tell(
            {"do": what, "argv": list(argv), "number": number, "timeout_s": timeout_s, "environ": environ or {}}
        )
        deadline_s = time.monotonic() + timeout_s + ANSWER_S
        while said := self.agent.hear(deadline_s):
            if said.get("number") == number:
                return said
            if "boot" in said:
                self.boots.append(said)
                raise GuestError(f"the guest started anew during {' '.join(argv)}:\n{self.last_words()}")
        raise GuestError(f"no answer to {' '.join(argv)}:\n{self.last_words()}")

    def _socket(self, name):
        path = self.folder / name
        deadline_s = time.monotonic() + ANSWER_S
        while not path.exists():
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                raise GuestError("QEMU did not start; what it said stands above")
            time.sleep(0.05)
        return path

    def _command(self):
        shared = self.folder / "shared"
        kernel = image.kernel_folder()
        # iomem: a test moves the registers of a device that a driver has.
        words = ["console=ttyS0", "panic=-1", "quiet", "mitigations=off", "random.trust_cpu=on", "iomem=relaxed"]
        # The least processor that the wheels of numpy take: TCG has all of it.
        return [
            *("setpriv", "--pdeathsig", "KILL"),  # no guest is left behind by tests that were killed
            *("qemu-system-x86_64", "-machine", "pc", "-cpu", "Nehalem", "-smp", "1", "-m", "1024"),
            *("-accel", "tcg", "-nodefaults", "-display", "none"),
            *("-kernel", kernel / "vmlinuz", "-initrd", self.folder / "initrd", "-append", " ".join(words)),
            *("-drive", f"file={image.root_file()},if=virtio,format=raw,snapshot=on"),
            *("-virtfs", f"local,path={ROOT},mount_tag=takt,security_model=none,readonly=on"),
            *("-serial", f"file:{self.console}"),
            *("-device", "virtio-serial", "-device", "virtserialport,chardev=agent,name=takt.agent"),
            *("-chardev", f"socket,id=agent,path={self.folder / 'agent'},server=on,wait=off"),
            *("-qmp", f"unix:{self.folder / 'control'},server=on,wait=off"),
            *("-device", "i6300esb", "-action", "watchdog=reset"),
            *("-object", f"memory-backend-file,id=shared,mem-path={shared},size={SHARED_BYTES},share=on"),
            *("-device", "ivshmem-plain,memdev=shared", "-device", "pc-testdev"),
        ]
