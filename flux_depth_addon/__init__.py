"""FLUX Depth: the scene's depth and a prompt become a picture that lies on the camera frame.

Nothing of Blender is imported here: `core` must be usable where there is none.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

MODULES = (
    "extra_fields", "addresses_panel", "workflow_buttons", "preferences_panel", "properties", "loras",
    "start_picture", "model_panel", "variations", "faithfulness", "prompt", "chips", "preset_menu", "operators",
    "grid_buttons", "batch", "compare", "keep", "keep_buttons", "shot", "shot_buttons", "offer", "upkeep", "restore",
    "picture_buttons", "gallery_panel", "projection_data", "project_panel", "switch", "compare_providers", "unfinished",
    "panels", "watch",
)  # fmt: skip
"""What Blender is shown, in this order; unregistered in the opposite one."""

_command = None


def register() -> None:
    """Called by Blender when the extension is enabled."""
    import bpy

    global _command
    for module in _modules():
        module.register()
    _command = bpy.utils.register_cli_command("flux_depth", _command_line)


def unregister() -> None:
    """Called by Blender when the extension is disabled."""
    import bpy

    bpy.utils.unregister_cli_command(_command)
    for module in reversed(_modules()):
        module.unregister()


def _command_line(argv: list[str]) -> int:
    from .cli import main  # only when it is called: it would make every start of Blender slower

    return main(argv)


def _modules() -> "list[ModuleType]":
    from importlib import import_module

    return [import_module(f".{name}", __package__) for name in MODULES]
