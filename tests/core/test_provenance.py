"""A picture says how it was made, in its own file, and nobody's file says more than it may."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
import tomllib
import zlib
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from flux_depth_addon.core import advance as jobs
from flux_depth_addon.core import picture_parts, provenance, record
from flux_depth_addon.core.errors import InputError
from flux_depth_addon.core.framing import Framing
from flux_depth_addon.core.picture import store
from flux_depth_addon.core.provenance import MAX_PACKET, Said, embedded, packet, sidecar_of
from flux_depth_addon.core.request import Request, check
from tests.core.fuzzing import COMET, anything, check_sentence, effort
from tests.core.test_fuzz_pictures import chunk, png

CHECKOUT = Path(__file__).parents[2]
WHOLE = Framing(width=64, height=48, left=0, top=0, crop_width=64, crop_height=48)
CUT = Framing(width=64, height=48, left=2, top=1, crop_width=60, crop_height=46)
TRAINED = b"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
REQUEST = Request(
    prompt='a <quiet> room & "a dog"\nin the évening 🏠',
    model="bfl:flux-pro-1.0-depth",
    framing=WHOLE,
    seed=None,
    steps=30,
    guidance=12.5,
    blend="room.blend",
    scene="Hall",
    camera="Cam",
    frame=12.0,
    map_near=1.5,
    map_far=22.0,
)

Picture = Callable[..., bytes]


def said(**changes: Any) -> Said:
    return record.said(record.made_now(replace(REQUEST, **changes), seed=7, cost_usd=0.05, asked=1.0))


def stored(folder: Path, data: bytes, name: str = "out.png", framing: Framing = WHOLE, **changes: Any) -> Path:
    store(data, framing, folder / name, said(**changes))
    return folder / name


@pytest.mark.parametrize("framing", [WHOLE, CUT], ids=["as it came", "cut"])
@pytest.mark.parametrize(("kind", "name"), [("PNG", "out.png"), ("JPEG", "out.jpg"), ("JPEG", "out.png")])
def test_a_picture_says_how_it_was_made(
    tmp_path: Path, picture: Picture, kind: str, name: str, framing: Framing
) -> None:
    found = record.read(stored(tmp_path, picture(64, 48, kind), name, framing))
    assert found.request == replace(REQUEST, seed=7)
    assert (found.cost_usd, found.made) == (0.05, "1970-01-01T00:00:01+00:00")
    assert found.software == f"FLUX Depth {provenance.VERSION}"
    assert record.worded(found)["Depth"] == "1.5 to 22 m, disparity"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(("kind", "name"), [("PNG", "out.png"), ("JPEG", "out.jpg")])
def test_what_is_added_is_all_that_changes(tmp_path: Path, picture: Picture, kind: str, name: str) -> None:
    data = picture(64, 48, kind)
    path = stored(tmp_path, data, name)
    told = path.read_bytes()
    place = next(place for place, byte in enumerate(data) if told[place] != byte)
    more = len(told) - len(data)
    assert told[:place] + told[place + more :] == data
    assert Image.open(path).tobytes() == Image.open(BytesIO(data)).tobytes()


def test_every_other_chunk_of_a_picture_stays(tmp_path: Path) -> None:
    others = [chunk(b"tEXt", b"Author\0me"), chunk(b"pHYs", struct.pack(">IIB", 3000, 3000, 1)), chunk(b"abCd", b"x")]
    path = stored(tmp_path, png(64, 48, 8, 2, *others))
    assert all(other in path.read_bytes() for other in others)
    assert Image.open(path).info["Author"] == "me"


def test_exif_of_a_jpeg_stays_and_stays_first(tmp_path: Path, picture: Picture) -> None:
    exif = Image.Exif()
    exif[0x0110] = "a camera"
    path = stored(tmp_path, picture(64, 48, "JPEG", exif=exif), "out.jpg")
    assert Image.open(path).getexif()[0x0110] == "a camera"
    assert path.read_bytes().index(b"Exif\0") < path.read_bytes().index(b"ns.adobe.com/xap")


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_every_program_finds_the_mark_of_what_a_machine_painted(tmp_path: Path, picture: Picture, kind: str) -> None:
    path = stored(tmp_path, picture(64, 48, kind), f"out.{kind.lower()}")
    xmp = Image.open(path).info["xmp"]
    assert b"<Iptc4xmpExt:DigitalSourceType>" + TRAINED + b"</" in xmp
    assert 'a &lt;quiet&gt; room &amp; "a dog"\nin the évening 🏠' in xmp.decode()


def test_the_sandbox_is_an_algorithm_that_was_trained_on_nothing(tmp_path: Path, picture: Picture) -> None:
    data = stored(tmp_path, picture(64, 48), model="sandbox").read_bytes()
    assert b"digitalsourcetype/algorithmicMedia" in data
    assert TRAINED not in data


def test_who_wants_it_so_tells_only_that_a_machine_painted_it(tmp_path: Path, picture: Picture) -> None:
    path = stored(tmp_path, picture(64, 48), provenance="mark")
    assert TRAINED in path.read_bytes()
    assert b"quiet" not in path.read_bytes()
    assert b"Cam" not in path.read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == ["out.png"]
    with pytest.raises(InputError, match=r"out\.png does not say how it was made"):
        record.read(path)


def test_a_sidecar_says_the_same(tmp_path: Path, picture: Picture) -> None:
    path = tmp_path / "out.png"
    store(picture(64, 48), WHOLE, path, said(), sidecar=True)
    assert record.read(tmp_path / "out.png.xmp") == record.read(path)
    Image.open(path).save(path)  # as a program does that knows nothing of it
    assert record.read(path).request.camera == "Cam"


def test_a_webp_has_it_in_a_sidecar(tmp_path: Path, picture: Picture) -> None:
    path = stored(tmp_path, picture(64, 48, "WEBP"), "out.webp")
    assert path.read_bytes() == picture(64, 48, "WEBP")
    assert record.read(path).request.camera == "Cam"


THEIRS = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"><xmp:CreatorTool>Theirs</xmp:CreatorTool>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_what_another_program_said_is_kept(tmp_path: Path, picture: Picture, kind: str) -> None:
    png_or_jpeg = next(each for each in picture_parts.KINDS if picture(kind=kind).startswith(each.begins))
    data, place = picture(64, 48, kind), 33 if kind == "PNG" else 20
    path = stored(tmp_path, data[:place] + png_or_jpeg.wrapped(THEIRS) + data[place:], f"out.{kind.lower()}")
    xmp = Image.open(path).info["xmp"]
    assert xmp.count(b"CreatorTool>") == 2
    assert b">Theirs<" in xmp
    assert TRAINED in xmp
    assert record.read(path).request.camera == "Cam"


def test_what_was_said_before_is_said_once(tmp_path: Path, picture: Picture) -> None:
    once = stored(tmp_path, picture(64, 48)).read_bytes()
    assert embedded(once, said()) == once
    assert embedded(once, said(camera="Other")).count(b"fluxdepth:Settings>") == 2


@pytest.mark.parametrize(
    ("kind", "signature"),
    [("PNG", chunk(b"caBX", b"jumb")), ("JPEG", b"\xff\xeb\0\x0aJP\0\1\0\0\0\0")],
)
def test_a_signature_is_not_broken_and_the_rest_stands_beside_it(
    tmp_path: Path, picture: Picture, kind: str, signature: bytes
) -> None:
    data, place = picture(64, 48, kind), 33 if kind == "PNG" else 20
    signed = data[:place] + signature + data[place:]
    path = stored(tmp_path, signed, f"out.{kind.lower()}")
    assert path.read_bytes() == signed
    assert sidecar_of(path).is_file()
    assert record.read(path).request.camera == "Cam"


# Never lost, and never too much.


def test_a_picture_is_not_lost_to_what_cannot_be_said(tmp_path: Path, picture: Picture) -> None:
    assert stored(tmp_path, picture(64, 48), prompt="&" * 10_000).read_bytes() == picture(64, 48)
    assert Image.open(stored(tmp_path, picture(64, 48), prompt="\ud800")).size == (64, 48)


def test_a_picture_is_not_lost_to_a_sidecar_that_cannot_be_written(tmp_path: Path, picture: Picture) -> None:
    (tmp_path / "out.png.xmp").mkdir()
    store(picture(64, 48), WHOLE, tmp_path / "out.png", said(), sidecar=True)
    assert record.read(tmp_path / "out.png")


def test_no_folder_no_address_and_no_key_is_told() -> None:
    job = jobs.Job(
        id="j1",
        request=replace(REQUEST, blend="C:\\Users\\maria\\room.blend"),
        folder=Path("/home/maria/jobs/j1"),
        output=Path("/home/maria/flux_depth/out.png"),
        origin="/home/maria/room.blend",
        base="http://127.0.0.1:8123",
        sent_to="https://api.example",
        polling_url="https://api.example/poll?key=1",
        sample_url="https://store.example/s.png",
        remote_id="task-1",
        created=1.0,
        deadline=2.0,
        due=1.0,
    )
    told = packet(jobs.told(job)).decode()
    assert "room.blend" in told
    assert not [word for word in ("maria", "Users", "127.0.0.1", "example", "task-1", "jobs/") if word in told]


def test_the_version_is_the_manifest_s() -> None:
    manifest = tomllib.loads((CHECKOUT / "blender_manifest.toml").read_text(encoding="utf-8"))
    assert manifest["version"] == provenance.VERSION


# What strangers say.


def forged(folder: Path, settings: str) -> Path:
    """A picture of a stranger's that says this."""
    path = folder / "forged.png"
    path.write_bytes(embedded(png(64, 48, 8, 2), Said(source="algorithmicMedia", settings=settings)))
    return path


def row(**changes: Any) -> dict[str, Any]:
    return json.loads(said().settings) | changes


def plain() -> bytes:
    """Settings in words that XML takes as they are."""
    return json.dumps(row(request=row()["request"] | {"prompt": "a quiet room"})).encode()


def asked(**changes: Any) -> str:
    return json.dumps(row(request=row()["request"] | changes))


@pytest.mark.parametrize(
    "settings",
    [
        "{", "[]", "7", "null", '{"request": 7}', '{"request": {}}', "[" * 20_000, '{"request": ' * 5_000, "9" * 20_000,
        asked(prompt=7), asked(prompt="a\0b"), asked(prompt="\ud800"), asked(prompt="a" * 10_001),
        asked(camera="c" * 501), asked(seed="7"), asked(seed=2**64), asked(seed=True), asked(guidance=float("nan")),
        asked(framing={"width": 1}), asked(framing=[]), asked(depth={"curve": "odd"}), asked(depth=None),
        asked(framing={"width": 10**9, "height": 1, "left": 0, "top": 0, "crop_width": 1, "crop_height": 1}),
    ],
)  # fmt: skip
def test_what_is_forged_is_said_to_be_so(tmp_path: Path, settings: str) -> None:
    with pytest.raises(InputError, match="is no request of FLUX Depth") as caught:
        record.read(forged(tmp_path, settings))
    check_sentence(caught.value)


@pytest.mark.parametrize("more", [0, 70_000])
def test_what_is_too_long_to_be_ours_is_not_taken_for_it(tmp_path: Path, more: int) -> None:
    text = plain()[:-1] + b', "more": "' + b"x" * more + b'"}'
    (tmp_path / "long.png").write_bytes(png(64, 48, 8, 2, chunk(b"tEXt", b"fluxdepth:Settings\0" + text)))
    if not more:
        assert record.read(tmp_path / "long.png").request.prompt == "a quiet room"
        return
    with pytest.raises(InputError, match="is no request of FLUX Depth"):
        record.read(tmp_path / "long.png")


def test_no_terminal_takes_orders_from_a_picture(tmp_path: Path) -> None:
    found = record.read(forged(tmp_path, asked(prompt="a\nb\x1b[2J\r\x9b\u202e", camera="\x07")))
    assert (record.worded(found)["Prompt"], record.worded(found)["Camera"]) == (
        "a\nb\ufffd[2J\ufffd\ufffd\ufffd",
        "\ufffd",
    )


def test_what_a_newer_version_says_besides_is_left_out(tmp_path: Path) -> None:
    newer = asked(holograms=3, depth={"near": 2.0, "fog": 1, "far": None, "curve": "linear"})
    found = record.read(forged(tmp_path, newer))
    assert (found.request.depth.near, found.request.depth.curve) == (2.0, "linear")


def test_what_an_older_version_left_out_is_as_it_was_then(tmp_path: Path) -> None:
    older = row()["request"]
    for name in ("map_near", "map_far", "camera"):
        del older[name]
    assert record.read(forged(tmp_path, json.dumps({"request": older}))).request.map_near is None


def test_no_picture_decides_what_the_next_one_says(tmp_path: Path) -> None:
    assert record.read(forged(tmp_path, asked(provenance="mark"))).request.provenance == "picture"


@pytest.mark.parametrize("cost", [-1, "much", True, 1e300, float("nan"), None])
def test_a_cost_that_is_none_is_not_told(tmp_path: Path, cost: object) -> None:
    assert record.read(forged(tmp_path, json.dumps(row(cost_usd=cost)))).cost_usd is None


def test_a_program_may_write_it_as_an_attribute(tmp_path: Path) -> None:
    short = json.dumps(row()).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    xmp = THEIRS.replace(
        b'rdf:about=""', b'rdf:about="" xmlns:own="urn:flux-depth:1:" own:Settings="' + short.encode() + b'"'
    )
    (tmp_path / "out.xmp").write_bytes(xmp)
    assert record.read(tmp_path / "out.xmp").request.camera == "Cam"


def test_a_packed_text_is_read_too(tmp_path: Path) -> None:
    packed = b"XML:com.adobe.xmp\0\1\0en\0\0" + zlib.compress(packet(said()))
    (tmp_path / "out.png").write_bytes(png(64, 48, 8, 2, chunk(b"iTXt", packed)))
    assert record.read(tmp_path / "out.png").request.camera == "Cam"


LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha">%s]>' % b"".join(
    b'<!ENTITY a%d "%s">' % (level, b"&a%d;" % (level - 1) * 10) for level in range(1, 10)
)
SILENT: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no picture": lambda: b"<html>urn:flux-depth:1:</html>",
    "a plain picture": lambda: png(64, 48, 8, 2),
    "an empty JPEG": lambda: b"\xff\xd8",
    "a JPEG of filling": lambda: b"\xff\xd8" + b"\xff" * 300_000,
    "a chunk beyond the end": lambda: b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffiTXtXML:com.adobe.xmp\0",
    "a short chunk": lambda: png(64, 48, 8, 2, chunk(b"iTXt", b"XML:com.adobe.xmp\0")),
    "packed nonsense": lambda: png(64, 48, 8, 2, chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0nonsense")),
    "packed endlessly": lambda: png(
        64, 48, 8, 2, chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(200_000_000), 1))
    ),
    "a million laughs": lambda: png(
        64, 48, 8, 2,
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + LAUGHS + b'<x xmlns:f="urn:flux-depth:1:"><f:Settings>&a9;'
              b"</f:Settings></x>"),
    ),
    "a document type": lambda: png(
        64, 48, 8, 2,
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<!DOCTYPE x [<!ENTITY a '" + plain() + b"'>]>"
              b'<x xmlns:f="urn:flux-depth:1:"><f:Settings>&a;</f:Settings></x>'),
    ),
    "a file of the system's": lambda: png(
        64, 48, 8, 2,
        chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
              b'<x xmlns:f="urn:flux-depth:1:"><f:Settings>&a;</f:Settings></x>'),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SILENT)
def test_a_file_that_says_nothing_is_said_to(tmp_path: Path, name: str) -> None:
    path = tmp_path / "wall.png"
    path.write_bytes(SILENT[name]())
    began = time.process_time()
    with pytest.raises(InputError, match=r"wall\.png does not say how it was made") as caught:
        record.read(path)
    check_sentence(caught.value)
    assert time.process_time() - began < 2


MEASURE = """
import re, sys
from pathlib import Path
from flux_depth_addon.core import record
from flux_depth_addon.core.errors import InputError
def kilobytes(name):
    return int(re.search(name + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
before = kilobytes("VmRSS")
try:
    record.read(Path(sys.argv[1]))
except InputError:
    print(kilobytes("VmHWM") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
@pytest.mark.parametrize("name", ["packed endlessly", "a million laughs", "a chunk beyond the end"])
def test_a_bomb_takes_no_large_memory(name: str, tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(SILENT[name]())
    told = subprocess.check_output([sys.executable, "-c", MEASURE, str(tmp_path / "bomb.png")], cwd=CHECKOUT)
    assert int(told) < 20_000, f"{int(told):,} kB"


@pytest.mark.parametrize("name", ["gone.png", "folder.png", "pipe.png", "a\0b.png", "x" * 300 + ".png"])
def test_what_is_no_file_is_said_to_be_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.png").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match=r"There is no file|cannot be read") as caught:
        record.read(tmp_path / name)
    check_sentence(caught.value)


@given(st.text(min_size=1, max_size=300), st.text(max_size=60), st.floats(1, 100))
@example("\x01\x7f\x85\u2028\ufffe\U0010ffff ]]> \\u0041 <!-- &amp;", "\r\n\t", 1.0)
@effort(4)
def test_any_request_that_can_be_sent_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, prompt: str, camera: str, guidance: float
) -> None:
    request = replace(
        REQUEST, prompt=prompt, guidance=guidance, model=COMET.id, framing=replace(WHOLE, width=256, height=256)
    )
    try:
        check(request, COMET)
        camera.encode()
    except (InputError, ValueError):
        return
    made = record.made_now(replace(request, camera=camera.replace("\0", "")), seed=3, cost_usd=0.1, asked=0.0)
    path = tmp_path_factory.getbasetemp() / "any.xmp"
    path.write_bytes(packet(record.said(made)))
    found = record.read(path).request
    assert (found.prompt, found.camera, found.guidance) == (prompt, camera.replace("\0", ""), guidance)


@given(st.text(max_size=10_000).map(lambda text: text[:10_000]))
@effort(1)
def test_no_packet_is_larger_than_a_jpeg_can_hold(prompt: str) -> None:
    try:
        assert len(packet(said(prompt=prompt))) <= MAX_PACKET
    except ValueError:
        return


@given(st.dictionaries(st.sampled_from(["request", "cost_usd", "made", "software"]), anything), st.data())
@effort(6)
def test_whatever_json_a_stranger_writes_is_a_record_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any], data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    name = data.draw(st.sampled_from(sorted(row()["request"])))
    settings = row(request=row()["request"] | {name: data.draw(anything)}) | data.draw(st.sampled_from([{}, changes]))
    _read_or_refuse(forged(folder, json.dumps(settings)))


@given(st.data())
@effort(8)
def test_whatever_bytes_are_damaged_a_picture_is_a_record_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, picture: Picture, data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG"]))
    damaged = bytearray(embedded(picture(16, 16, kind), said()))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(bytes(damaged))
    _read_or_refuse(path)
    shown = _pixels(bytes(damaged))
    assert not shown or _pixels(embedded(bytes(damaged), said())) == shown


def _read_or_refuse(path: Path) -> None:
    try:
        found = record.read(path)
    except InputError as error:
        check_sentence(error)
    else:
        assert len(found.request.prompt) <= 10_000
        assert all(isinstance(text, str) for text in record.worded(found).values())


def _pixels(data: bytes) -> bytes:
    try:
        return Image.open(BytesIO(data)).tobytes()
    except (OSError, SyntaxError, ValueError):
        return b""
