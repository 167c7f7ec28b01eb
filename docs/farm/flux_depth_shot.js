// SPDX-License-Identifier: GPL-3.0-or-later
// A Flamenco job type: put this file into the folder `scripts` beside flamenco-manager.
//
// For each camera one task locks the depth range and the seed, then every frame is a task of its own. A task that is
// lost and run again pays for nothing twice: see docs/farm.md. Keys come from each worker's own environment.

const JOB_TYPE = {
    label: "FLUX Depth Shot",
    description: "Paint a shot with FLUX, guided by the depth of the scene, one frame a task",
    settings: [
        { key: "frames", type: "string", required: true,
          eval: "f'{C.scene.frame_start}-{C.scene.frame_end}'",
          evalInfo: { showLinkButton: true, description: "Scene frame range" },
          description: "Frames to paint. Examples: '47', '1-30', '3, 5-10, 47-327'" },
        { key: "cameras", type: "string", required: true,
          eval: "C.scene.camera.name if C.scene.camera else ''",
          description: "Cameras, with commas between them; each gets a folder of its own" },
        { key: "prompt", type: "string", required: true,
          eval: "getattr(getattr(C.scene, 'flux_depth', None), 'prompt', '')",
          description: "What the pictures should show" },
        { key: "provider", type: "string", required: true, default: "cometapi",
          choices: ["cometapi", "bfl", "sandbox"], description: "Who paints, and is paid for it" },
        { key: "model", type: "string", default: "", description: "Nothing for the provider's first", visible: "submission" },
        { key: "url", type: "string", default: "", visible: "submission",
          description: "A base address in place of the provider's own" },
        { key: "seed", type: "int32", default: 0, propargs: { min: 0, max: 2147483647 },
          description: "Of every frame; 0: one is drawn and kept" },
        { key: "megapixels", type: "float", default: 1.0, propargs: { min: 0.1, max: 4.0 }, visible: "submission",
          description: "The size to ask for" },
        { key: "render_output_root", type: "string", subtype: "dir_path", required: true,
          description: "On a disk that all workers share: there, each camera gets a folder of its own" },

        // Automatically evaluated settings:
        { key: "blendfile", type: "string", required: true, description: "Path of the blend file", visible: "web" },
        { key: "scene", type: "string", required: true, eval: "C.scene.name", visible: "web",
          description: "Name of the scene" },
    ]
};

const MOST_FRAMES = 2000;

function compileJob(job) {
    const settings = job.settings;
    const frames = frameChunker(settings.frames, 1);
    if (frames.length > MOST_FRAMES) {
        throw `A shot of ${frames.length} frames is too long: ${MOST_FRAMES} are the most, so split it.`;
    }
    const cameras = settings.cameras.split(",").map(name => name.trim()).filter(name => name);
    if (cameras.length === 0) {
        throw "No camera is named.";
    }
    for (const camera of cameras) {
        const lock = authorLockTask(settings, camera, frames);
        job.addTask(lock);
        for (const frame of frames) {
            const paint = authorPaintTask(settings, camera, frames, frame);
            paint.addDependency(lock);
            job.addTask(paint);
        }
    }
}

function authorLockTask(settings, camera, frames) {
    const more = [
        `--camera=${camera}`,
        `--scene=${settings.scene}`,
        `--prompt=${settings.prompt}`,
        `--provider=${settings.provider}`,
        `--model=${settings.model || ""}`,
        `--megapixels=${settings.megapixels}`,
        "--lock-only",
    ];
    if (settings.seed) {
        more.push(`--seed=${settings.seed}`);
    }
    return authorTask(`lock-${camera}`, settings, camera, frames, more);
}

function authorPaintTask(settings, camera, frames, frame) {
    const more = [`--frame=${frame}`, `--url=${settings.url || ""}`, "--online-mode"];
    return authorTask(`paint-${camera}-${frame}`, settings, camera, frames, more);
}

function authorTask(name, settings, camera, frames, more) {
    const task = author.Task(name, "blender");
    task.addCommand(author.Command("exec", {
        exe: "{blender}",
        args: [
            "--command", "flux_depth", "shot", settings.blendfile,
            `--output=${path.join(settings.render_output_root, camera)}`,
            `--frames=${frames.join(",")}`,
        ].concat(more),
    }));
    return task;
}
