import bpy
settings = bpy.context.scene.flux_depth
shape = bpy.context.scene.flux_depth_shape

settings.steps = 25
settings.guidance = 6.0
settings.prompt_upsampling = True
settings.curve = 'disparity'
shape.detail = 0.0
shape.blur = 0.01
shape.gamma = 1.0
