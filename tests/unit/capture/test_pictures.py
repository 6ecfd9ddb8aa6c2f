"""Picture files: what is read, and what is refused in which words."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from app.capture.pictures import MAX_PIXELS, list_pictures, read_picture, with_channels
from app.errors import DataError

GREY = np.random.default_rng(1).integers(0, 255, (37, 53)).astype(np.uint8)
COLOUR = np.random.default_rng(2).integers(0, 255, (37, 53, 3)).astype(np.uint8)
LOSSLESS = [".png", ".bmp", ".tif", ".pgm"]


def write(path, picture, *options):
    assert cv2.imwrite(str(path), picture, list(options))
    return path


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, bits=8, colour=0, rows=b""):
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_grey_picture_is_read_as_it_was_written(tmp_path, suffix):
    picture = read_picture(write(tmp_path / f"a{suffix}", GREY))
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, GREY)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm"])
def test_colour_picture_is_read_in_bgr(tmp_path, suffix):
    assert np.array_equal(read_picture(write(tmp_path / f"a{suffix}", COLOUR)), COLOUR)


@pytest.mark.parametrize(("picture", "shape"), [(GREY, (37, 53)), (COLOUR, (37, 53, 3))])
def test_jpeg_is_read(tmp_path, picture, shape):
    assert read_picture(write(tmp_path / "a.jpg", picture)).shape == shape


def test_progressive_jpeg_is_read(tmp_path):
    path = write(tmp_path / "a.jpg", GREY, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert read_picture(path).shape == (37, 53)


def test_content_decides_not_the_suffix(tmp_path):
    path = write(tmp_path / "a.png", GREY).rename(tmp_path / "a.jpg")
    assert np.array_equal(read_picture(path), GREY)


def test_picture_of_one_bit_becomes_black_and_white(tmp_path):
    (tmp_path / "a.png").write_bytes(png(8, 1, bits=1, rows=b"\x00\xf0"))
    assert read_picture(tmp_path / "a.png").tolist() == [[255] * 4 + [0] * 4]


def test_opaque_alpha_channel_is_dropped(tmp_path):
    opaque = np.dstack([COLOUR, np.full(GREY.shape, 255, np.uint8)])
    assert np.array_equal(read_picture(write(tmp_path / "a.png", opaque)), COLOUR)


def test_transparent_pixels_are_refused(tmp_path):
    picture = np.dstack([COLOUR, np.full(GREY.shape, 255, np.uint8)])
    picture[3, 3, 3] = 254
    with pytest.raises(DataError, match="has transparent pixels; save it without an alpha channel"):
        read_picture(write(tmp_path / "a.png", picture))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_16_bits_are_refused(tmp_path, suffix):
    path = write(tmp_path / f"a{suffix}", GREY.astype(np.uint16) * 257)
    with pytest.raises(DataError, match="has 16 bits per channel; convert it to 8 bits"):
        read_picture(path)


def test_floating_point_tiff_is_refused(tmp_path):
    with pytest.raises(DataError, match="has 32 bits per channel"):
        read_picture(write(tmp_path / "a.tif", GREY.astype(np.float32)))


@pytest.mark.parametrize("suffix", [*LOSSLESS, ".jpg"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_truncated_picture_is_refused(tmp_path, suffix, kept):
    path = write(tmp_path / f"a{suffix}", GREY)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(DataError, match="is damaged"):
        read_picture(path)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".pgm", ".jpg"])
@pytest.mark.parametrize("kept", range(2, 40))
def test_file_that_ends_in_its_header_is_refused(tmp_path, suffix, kept):
    path = write(tmp_path / f"a{suffix}", GREY)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError):
        read_picture(path)


def test_jpeg_whose_thumbnail_is_whole_but_not_itself_is_refused(tmp_path):
    path = write(tmp_path / "a.jpg", GREY)
    content = path.read_bytes()
    thumbnail = b"Exif\0\0" + content
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    path.write_bytes(content[:2] + segment + content[2:-10])
    with pytest.raises(DataError, match="it ends before its picture does"):
        read_picture(path)


def test_jpeg_with_bytes_after_its_end_is_read(tmp_path):
    path = write(tmp_path / "a.jpg", GREY)
    path.write_bytes(path.read_bytes() + bytes(100))
    assert read_picture(path).shape == (37, 53)


def test_png_with_a_changed_byte_is_refused(tmp_path):
    path = write(tmp_path / "a.png", GREY)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="the checksum of its chunk at byte 33 is wrong"):
        read_picture(path)


def test_whole_file_with_data_that_is_none_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(png(50, 50, rows=b"too few"))
    with pytest.raises(DataError, match="is damaged"):
        read_picture(tmp_path / "a.png")


def test_empty_file_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.png is empty \(0 bytes\)"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"hello", b"GIF89a" + bytes(50), b"RIFF\0\0\0\0WEBP" + bytes(50)])
def test_what_is_no_known_picture_is_refused(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match="is no picture of a known format; give PNG"):
        read_picture(tmp_path / "a.png")


def test_picture_over_100_megapixels_is_refused_before_it_is_decoded(tmp_path):
    (tmp_path / "a.png").write_bytes(png(20_000, MAX_PIXELS // 20_000 + 1))
    with pytest.raises(DataError, match="has 20000 x 5001 px, over 100 megapixels"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("width", [0, 1 << 31])
def test_size_that_cannot_be_is_refused(tmp_path, width):
    (tmp_path / "a.png").write_bytes(png(width, 10))
    with pytest.raises(DataError):
        read_picture(tmp_path / "a.png")


def test_absent_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_picture(tmp_path / "a.png")


def test_folder_is_no_picture(tmp_path):
    with pytest.raises(DataError, match="is a folder; name a picture file"):
        read_picture(tmp_path)


def test_file_below_a_file_is_an_error(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(DataError, match="cannot be read: Not a directory"):
        read_picture(tmp_path / "a" / "b.png")


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_refused_picture_writes_nothing_to_stderr(tmp_path, suffix, capfd):
    path = write(tmp_path / f"a{suffix}", GREY)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError):
        read_picture(path)
    assert capfd.readouterr().err == ""


def test_pictures_of_a_folder_come_in_name_order(tmp_path):
    for name in ("b.png", "a.JPG", "c.bmp", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "d.png").mkdir()
    assert [path.name for path in list_pictures(tmp_path)] == ["a.JPG", "b.png", "c.bmp"]


def test_folder_without_pictures_is_an_error(tmp_path):
    with pytest.raises(DataError, match="holds no pictures"):
        list_pictures(tmp_path)


def test_absent_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="cannot be read as a folder"):
        list_pictures(tmp_path / "nowhere")


@pytest.mark.parametrize(("picture", "channels", "shape"), [(GREY, 3, (37, 53, 3)), (COLOUR, 1, (37, 53))])
def test_picture_gets_the_channels_that_are_wanted(picture, channels, shape):
    assert with_channels(picture, channels).shape == shape


@pytest.mark.parametrize(("picture", "channels"), [(GREY, 1), (COLOUR, 3)])
def test_picture_with_the_channels_that_are_wanted_is_not_copied(picture, channels):
    assert with_channels(picture, channels) is picture
