"""The watch over keys looks where Blender writes: its preferences, its files, packed or not, what it prints."""

from pathlib import Path

import bpy
import pytest

from tests.secrets_watch import folders_of, leaks, marked_key, written

KEY = marked_key("cometapi")


def found(request, *folders):
    """Where the watch would say that a key is."""
    return {leak.place for leak in leaks(request.node, folders)}


@pytest.mark.key_is_planted("file *.blend")
@pytest.mark.parametrize("compress", [False, True])
def test_a_key_in_a_saved_file_is_found(request, fresh_file, tmp_path, compress):
    fresh_file["planted"] = KEY
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"), compress=compress, copy=True)
    assert found(request, tmp_path) == {"file scene.blend"}


@pytest.mark.key_is_planted("file config/userpref.blend*")
def test_a_key_in_saved_preferences_is_found(request):
    saved = Path(bpy.utils.user_resource("CONFIG"), "userpref.blend")
    paths = bpy.context.preferences.filepaths
    before, paths.render_output_directory = paths.render_output_directory, f"/tmp/{KEY}"
    try:
        bpy.ops.wm.save_userpref()
        assert "file config/userpref.blend" in found(request, *folders_of(request.node))
    finally:
        paths.render_output_directory = before
        for written in saved.parent.glob("userpref.blend*"):
            written.unlink()


@pytest.mark.key_is_planted("output*", "name of file*")
def test_a_key_that_blender_reports_is_found(request, fresh_file, tmp_path, capfd):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / f"{KEY.replace('/', '_')}.blend"), copy=True)
    capfd.readouterr()
    assert "output that the test read" in found(request)


def test_blender_s_folder_of_the_session_is_looked_through(request):
    note = Path(bpy.app.tempdir, "note.txt")
    note.write_text("nothing")
    assert note.parent in folders_of(request.node)
    assert written(note)
    note.unlink()
