"""A GigE Vision camera whose pictures a test paints: Aravis' own simulator in a process of its own.

    python painted_gige.py ADDRESS SERIAL PICTURE

PICTURE is a file whose first bytes are the next picture, as they lie on the wire. On stdin come lines of
`REGISTER VALUE`, both hexadecimal, which change the camera from within, as its own firmware could; each is answered by
one on stdout. It ends with its standard input.
"""

import ctypes
import mmap
import sys
from pathlib import Path

FillPattern = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32
)


def load_library():
    library = ctypes.CDLL("libaravis-0.8.so.0")
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    for name, result, arguments in (
        ("arv_gv_fake_camera_new", pointer, [text, text]),
        ("arv_gv_fake_camera_is_running", ctypes.c_int, [pointer]),
        ("arv_gv_fake_camera_get_fake_camera", pointer, [pointer]),
        ("arv_fake_camera_set_fill_pattern", None, [pointer, FillPattern, pointer]),
        ("arv_fake_camera_write_register", ctypes.c_int, [pointer, ctypes.c_uint32, ctypes.c_uint32]),
        ("arv_fake_camera_get_payload", ctypes.c_size_t, [pointer]),
        ("arv_buffer_get_data", pointer, [pointer, pointer]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def main(address, serial, picture):
    library = load_library()
    with Path(picture).open("r+b") as file:
        world = mmap.mmap(file.fileno(), 0)
    view = (ctypes.c_char * len(world)).from_buffer(world)

    @FillPattern
    def paint(buffer, _data, _exposure_us, _gain, _pixel_format):
        # The buffer's own size is that of what was received into it, which is nothing here.
        memory = library.arv_buffer_get_data(buffer, None)
        ctypes.memmove(memory, view, library.arv_fake_camera_get_payload(inside))

    camera = library.arv_gv_fake_camera_new(address.encode(), serial.encode())
    if not library.arv_gv_fake_camera_is_running(camera):
        sys.exit(f"no camera can listen at {address}")
    inside = library.arv_gv_fake_camera_get_fake_camera(camera)
    library.arv_fake_camera_set_fill_pattern(inside, paint, None)
    for line in sys.stdin:
        register, value = (int(word, 16) for word in line.split())
        library.arv_fake_camera_write_register(inside, register, value)
        print("done", flush=True)  # noqa: T201  (whoever wrote the line waits for this one)


if __name__ == "__main__":
    main(*sys.argv[1:])
