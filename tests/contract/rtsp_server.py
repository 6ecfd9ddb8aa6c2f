"""A real RTSP server that shows a moving pattern; run by the system's Python, in a process of its own.

    rtsp_server.py PORT WIDTH HEIGHT

Prints the port when it serves; port 0 takes a free one. The stream is `/belt`, 25 frames per second in H.264.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - after their versions are said

PIPELINE = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width={width},height={height},framerate=25/1"
    " ! openh264enc gop-size=5 complexity=low ! h264parse config-interval=-1 ! rtph264pay name=pay0 )"
)


def main(port, width, height):
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(PIPELINE.format(width=width, height=height))
    factory.set_shared(True)
    server.get_mount_points().add_factory("/belt", factory)
    if not server.attach(None):
        sys.exit(f"port {port} is taken")
    sys.stdout.write(f"{server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
