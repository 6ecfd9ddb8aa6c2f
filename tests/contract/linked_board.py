"""A machine and a box on one pin board, in one thread: what the contract tests of pins and of `LineIO` stand on."""

import threading

from app.bus.place import Place
from app.twin.host import PinHost, readable_of
from app.twin.link import LinkFactory


class LinkedBoard:
    """The machine's side of pins whose box is elsewhere; here it only pretends to be."""

    def __init__(self, clock, folder, death="float"):
        self.host = PinHost(Place(folder), 1, clock, death=death)
        self.clock = clock
        self.factory = linked(self.host, Place(folder), clock)

    def serve(self):
        """The machine obeys what the box has written."""
        self.host.serve(readable_of(self.host.waits_for()), lambda at_ns: None)

    def drive(self, pin, is_high):
        self.serve()
        self.host.drive(pin, is_high)
        self.factory.pump()

    def level(self, pin):
        self.serve()
        return self.host.level(pin)

    def close(self):
        self.factory.close()
        self.host.close()


def linked(host, place, clock, **settings):
    """A box on the pins, taken up by the machine while it waits for that."""
    is_done = threading.Event()

    def serve():
        while not is_done.is_set():
            host.serve(readable_of(host.waits_for(), 0.01), lambda at_ns: None)

    machine = threading.Thread(target=serve)
    machine.start()
    try:
        return LinkFactory(place, 1, clock, **settings)
    finally:
        is_done.set()
        machine.join()
