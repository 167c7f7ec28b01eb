import bpy
settings = bpy.context.scene.flux_depth
shape = bpy.context.scene.flux_depth_shape

settings.steps = 50
settings.guidance = 10.0
settings.prompt_upsampling = False
settings.curve = 'disparity'
shape.detail = 0.0
shape.blur = 0.0
shape.gamma = 1.0
