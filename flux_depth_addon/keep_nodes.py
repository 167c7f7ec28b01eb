"""The node group that lays a render over a picture by a mask, for the compositor of every Blender."""

from __future__ import annotations

from typing import Any

import bpy

__all__ = ["GROUP", "group", "insert", "tree_of"]

GROUP = "FLUX Depth Keep"
MARK = "flux_depth"
"""The custom property of a group that is ours."""

APART = 220
"""Between two nodes, from left to left."""


def group() -> bpy.types.NodeTree:
    """The group, made at the first need: Picture, Render and Mask in, Image out.

    A mask of 1 leaves it to the render's own alpha, which the file of the kept objects has.
    """
    groups: Any = bpy.data.node_groups
    ours = (tree for tree in groups if tree.get(MARK) == GROUP and tree.type == "COMPOSITING")
    return next(ours, None) or _made()


def _made() -> bpy.types.NodeTree:
    tree = _new_tree(GROUP)
    tree[MARK], tree.use_fake_user = GROUP, True
    for name in ("Picture", "Render"):
        tree.interface.new_socket(name, in_out="INPUT", socket_type="NodeSocketColor")
    mask = tree.interface.new_socket("Mask", in_out="INPUT", socket_type="NodeSocketFloat")
    mask.default_value, mask.min_value, mask.max_value = 1.0, 0.0, 1.0
    tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    kinds = ("NodeGroupInput", "CompositorNodeSetAlpha", "CompositorNodeAlphaOver", "NodeGroupOutput")
    given, masked, over, shown = nodes = [tree.nodes.new(kind) for kind in kinds]
    for number, node in enumerate(nodes):
        node.location = number * APART, 0
    below, above = [socket for socket in over.inputs if socket.type == "RGBA"]  # their names change with the version
    wires = {
        masked.inputs["Image"]: given.outputs["Render"],
        masked.inputs["Alpha"]: given.outputs["Mask"],
        below: given.outputs["Picture"],
        above: masked.outputs["Image"],
        shown.inputs["Image"]: over.outputs["Image"],
    }
    for end, begin in wires.items():
        tree.links.new(begin, end)
    return tree


def insert(scene: bpy.types.Scene, picture: bpy.types.Image, objects: bpy.types.Image) -> bpy.types.Node:
    """The group to the right of all that is in the scene's compositor, fed with both pictures; its output is free."""
    tree: Any = tree_of(scene)
    right = max((node.location.x + node.width for node in tree.nodes), default=0) + APART
    made = tree.nodes.new("CompositorNodeGroup")
    made.node_tree, made.location, made.width = group(), (right + 2 * APART, 0), 180
    for row, (name, image) in enumerate({"Picture": picture, "Render": objects}.items()):
        node = tree.nodes.new("CompositorNodeImage")
        node.image, node.label, node.location = image, name, (right, -row * 1.5 * APART)
        tree.links.new(node.outputs["Image"], made.inputs[name])
    return made


def tree_of(scene: bpy.types.Scene) -> bpy.types.NodeTree:
    """The scene's compositor, one that changes nothing where there was none: on the scene itself up to 4.5."""
    owner: Any = scene
    if bpy.app.version < (5, 0, 0):
        owner.use_nodes = True
        return owner.node_tree
    return owner.compositing_node_group or _new_compositor(owner)


def _new_compositor(owner: Any) -> bpy.types.NodeTree:
    tree = _new_tree("Compositor Nodes")
    tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    layers, output = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("NodeGroupOutput")
    layers.scene, output.location = owner, (2 * APART, 0)
    tree.links.new(layers.outputs["Image"], output.inputs["Image"])
    owner.compositing_node_group = tree
    return tree


def _new_tree(name: str) -> Any:
    groups: Any = bpy.data.node_groups
    return groups.new(name, "CompositorNodeTree")
