"""A station that only takes commands: notes them, and answers as it is told."""

from __future__ import annotations

import os
import select
import threading

from app.bus.commands import CommandServer, Reply


class Answering:
    """Takes commands in a thread of its own until it is closed.

    Args:
        path: The socket.
    """

    def __init__(self, path):
        self.asked = []
        self.refusals = {}
        self.on_command = lambda request: None
        self._server = CommandServer(path)
        self._read, self._write = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def refuse(self, command, what, mend="wait"):
        """Refuses a command from now on."""
        self.refusals[command] = (what, mend)

    def _run(self):
        while self._read not in select.select([self._read, self._server], [], [])[0]:
            for received in self._server.receive():
                request = received.request
                self.asked.append(request)
                self.on_command(request)
                what, mend = self.refusals.get(request.command, ("", ""))
                reply = Reply(ok=not what, what=what, mend=mend, epoch=1, sequence=40 + len(self.asked))
                self._server.answer(received, reply)

    def close(self):
        """Takes no more."""
        os.write(self._write, b"!")
        self._thread.join()
        self._server.close()
        os.close(self._read)
        os.close(self._write)
