"""FLUX Depth: the scene's depth and a prompt become a picture that lies on the camera frame."""

MODULES = ("preferences", "properties", "operators", "panels", "watch", "cli")
"""What Blender is shown, in this order; unregistered in the opposite one."""


def register() -> None:
    """Called by Blender when the extension is enabled."""
    for module in _modules():
        module.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled."""
    for module in reversed(_modules()):
        module.unregister()


def _modules() -> list:
    from importlib import import_module  # only now: `core` must be usable where there is no Blender

    return [import_module(f".{name}", __package__) for name in MODULES]
