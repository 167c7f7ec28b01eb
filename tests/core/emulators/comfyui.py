"""ComfyUI, from its own source: server.py, execution.py, nodes.py, comfy_extras, comfy_execution/jobs.py, of 0.3.64 and
0.33.0; `jobs_api = False` is the older one.

Which handler each answer follows:
    POST /upload/image          server.py: image_upload
    POST /prompt                server.py: post_prompt; execution.py: validate_prompt, validate_inputs
    GET  /api/jobs/ID           server.py: get_job_by_id; jobs.py: normalize_queue_item, normalize_history_item
    GET  /queue, /history/ID    server.py: get_queue, get_history_prompt_id; execution.py: PromptQueue.task_done
    POST /api/jobs/ID/cancel    server.py: cancel_job_by_id
    POST /queue, /interrupt     server.py: post_queue, post_interrupt, which say nothing
    GET  /view                  server.py: view_image
    GET  /system_stats, /object_info/CLASS    server.py: system_stats, node_info
    WS   /ws                    server.py: websocket_handler, send_image; main.py: hijack_progress
"""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import json
import re
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from . import Answer, Emulator, Kind, Refusal, Seen, Task, in_json

JOB = re.compile(r"/api/jobs/([^/]+)(/cancel)?")
HISTORY = re.compile(r"/history/([^/]+)")

Spec = dict[str, list[Any]]

INT: list[Any] = ["INT", {"min": 0, "max": 2**64 - 1}]
FLOAT: list[Any] = ["FLOAT", {"min": 0.0, "max": 100.0}]
WEIGHT: list[Any] = ["FLOAT", {"min": -100.0, "max": 100.0}]
TEXT: list[Any] = ["STRING", {}]


def nodes(files: dict[str, list[str]]) -> dict[str, Spec]:
    """By class its required inputs, with what the server's folders hold as the choices of some."""
    lora: Spec = {"model": ["MODEL"], "lora_name": [files["loras"]], "strength_model": WEIGHT}
    clip = [files["text_encoders"]]
    return {
        "LoadImage": {"image": [["example.png"], {"image_upload": True}]},
        "ImageScale": {
            "image": ["IMAGE"],
            "upscale_method": [["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]],
            "width": ["INT", {"min": 0, "max": 16384}],
            "height": ["INT", {"min": 0, "max": 16384}],
            "crop": [["disabled", "center"]],
        },
        "ImageInvert": {"image": ["IMAGE"]},
        "PrimitiveString": {"value": TEXT},
        "PrimitiveInt": {"value": ["INT", {"min": 1 - 2**63, "max": 2**63 - 1}]},
        "UNETLoader": {"unet_name": [files["diffusion_models"]], "weight_dtype": [["default", "fp8_e4m3fn"]]},
        "LoraLoaderModelOnly": lora,
        "DualCLIPLoader": {"clip_name1": clip, "clip_name2": clip, "type": [["sdxl", "sd3", "flux"]]},
        "VAELoader": {"vae_name": [files["vae"]]},
        "CLIPTextEncode": {"text": TEXT, "clip": ["CLIP"]},
        "FluxGuidance": {"conditioning": ["CONDITIONING", {}], "guidance": FLOAT},
        "InstructPixToPixConditioning": {
            "positive": ["CONDITIONING", {}],
            "negative": ["CONDITIONING", {}],
            "vae": ["VAE", {}],
            "pixels": ["IMAGE", {}],
        },
        "KSampler": {
            "model": ["MODEL"],
            "seed": INT,
            "steps": ["INT", {"min": 1, "max": 10000}],
            "cfg": FLOAT,
            "sampler_name": [["euler", "dpmpp_2m"]],
            "scheduler": [["simple", "normal", "beta"]],
            "positive": ["CONDITIONING"],
            "negative": ["CONDITIONING"],
            "latent_image": ["LATENT"],
            "denoise": ["FLOAT", {"min": 0.0, "max": 1.0}],
        },
        "VAEDecode": {"samples": ["LATENT"], "vae": ["VAE"]},
        "SaveImage": {"images": ["IMAGE"], "filename_prefix": TEXT},
    }


def error_of(kind: str, message: str, details: str, **info: object) -> dict[str, object]:
    """As validate_inputs tells one."""
    return {"type": kind, "message": message, "details": details, "extra_info": info}


def invalid(node: str, kind: str, *errors: object) -> Answer:
    """A graph of which one node is wrong."""
    summary = error_of("prompt_outputs_failed_validation", "Prompt outputs failed validation", "")
    told = {node: {"errors": list(errors), "dependent_outputs": ["14"], "class_type": kind}}
    return in_json({"error": summary, "node_errors": told}, 400)


def refuses(kind: str, message: str, details: str = "", **info: object) -> Answer:
    """A graph that is wrong as a whole."""
    return in_json({"error": error_of(kind, message, details, **info), "node_errors": {}}, 400)


def not_in_list(name: str, value: object, options: list[Any]) -> dict[str, object]:
    """A choice that there is not."""
    shown = f"(list of length {len(options)})" if len(options) > 20 else str(options)
    details = f"{name}: '{value}' not in {shown}"
    return error_of("value_not_in_list", "Value not in list", details, input_name=name, received_value=value)


MISSING_FILE = not_in_list("unet_name", "flux1-depth-dev.safetensors", ["other.safetensors"])
INVALID_IMAGE = error_of(
    "custom_validation_failed",
    "Custom validation failed for node",
    "image - Invalid image file: flux_depth/0.png",
    input_name="image",
)
OLD_MISSING_NODE = "Cannot execute because node FluxGuidance does not exist."
MISSING_NODE = "Node 'FLUX Depth Guidance' not found. The custom node may not be installed."
BAD_ID = (
    "prompt_id must be a UUID string in canonical lowercase hyphenated form; omit it to let the server generate one"
)


class ComfyUI(Emulator):
    """127.0.0.1:8188, with every file that the shipped workflows need."""

    provider = "comfyui"
    model = "comfyui:flux1-depth-dev"
    own_pictures = True
    queues = True
    costs: ClassVar = {"failed": "no", "cancelled": "no"}
    told_usd = 0.0
    refusals: ClassVar = {
        "a missing file": Refusal(invalid("3", "UNETLoader", MISSING_FILE), "retry"),
        "a missing node": Refusal(
            refuses("missing_node_type", MISSING_NODE, "Node ID '#10'", node_id="10", class_type="FluxGuidance"),
            "retry",
        ),
        "a missing node, before": Refusal(refuses("invalid_prompt", OLD_MISSING_NODE, "Node ID '#10'"), "retry"),
        "a setting": Refusal(invalid("12", "KSampler", not_in_list("sampler_name", "eulr", ["euler"])), "settings"),
        "a picture that is gone": Refusal(invalid("1", "LoadImage", INVALID_IMAGE), "settings"),
        "no output": Refusal(refuses("prompt_no_outputs", "Prompt has no outputs"), "settings"),
        "an id": Refusal(refuses("invalid_prompt_id", "prompt_id must be a valid UUID", BAD_ID), "settings"),
        "too large": Refusal(
            Answer(413, {"Content-Type": "text/plain"}, b"Maximum request body size exceeded"), "settings"
        ),
    }

    def __init__(self, *, pending: int = 2, jobs_api: bool = True) -> None:
        super().__init__(pending=pending)
        self.jobs_api = jobs_api
        self.files = {
            "diffusion_models": ["flux1-depth-dev.safetensors", "flux1-dev.safetensors"],
            "text_encoders": ["clip_l.safetensors", "t5xxl_fp16.safetensors"],
            "vae": ["ae.safetensors", "pixel_space"],
            # A file's name here may hold folders; the suite asks every provider for this one.
            "loras": ["flux1-depth-dev-lora.safetensors", "https://example.com/a.safetensors"],
        }
        self.lacks: set[str] = set()
        """Classes of nodes that are not installed."""
        self.inputs: dict[str, bytes] = {}
        """What was uploaded, by its path in the folder of inputs."""
        self.news: list[str | bytes] = []
        """What the WebSocket tells whoever comes."""
        self._id = ""

    def kind_of(self, seen: Seen) -> Kind | None:
        """By method and path."""
        get = seen.method == "GET"
        if match := JOB.fullmatch(seen.path):
            if match[2]:
                return None if get else "cancel"
            return "poll" if get else None
        if HISTORY.fullmatch(seen.path):
            return "poll" if get else None
        if seen.path.startswith("/object_info/") or seen.path == "/system_stats":
            return "probe" if get else None
        known: dict[tuple[str, str], Kind] = {
            ("POST", "/upload/image"): "upload",
            ("POST", "/prompt"): "submit",
            ("GET", "/queue"): "poll",
            ("POST", "/queue"): "cancel",
            ("POST", "/interrupt"): "cancel",
            ("GET", "/view"): "picture",
        }
        return known.get((seen.method, seen.path))

    def served(self, seen: Seen) -> Answer:
        """An older server has no such routes: the one for its window's files answers."""
        if JOB.fullmatch(seen.path) and not self.jobs_api:
            text = {"Content-Type": "text/plain; charset=utf-8"}
            return Answer(404, text, b"404: Not Found") if seen.method == "GET" else Answer(405, text, b"405: ...")
        return super().served(seen)

    def upload(self, seen: Seen) -> Answer:
        """Keep it where it is to lie."""
        parts = parts_of(seen)
        name, data = parts.get("image", ("", b""))
        if not name:
            return Answer(400, {}, b"")
        fields = {field: value.decode() for field, (_, value) in parts.items() if field != "image"}
        subfolder = fields.get("subfolder", "")
        path = f"{subfolder}/{name}".lstrip("/")
        if path in self.inputs and self.inputs[path] != data and fields.get("overwrite") not in ("true", "1"):
            name = name.replace(".", " (1).")
        self.inputs[f"{subfolder}/{name}".lstrip("/")] = data
        return in_json({"name": name, "subfolder": subfolder, "type": fields.get("type") or "input"})

    def submit(self, seen: Seen) -> Answer:
        """Check the graph, and queue it."""
        body = seen.json if isinstance(seen.json, dict) else {}
        graph, self._id = body.get("prompt"), str(body.get("prompt_id") or uuid.uuid4())
        if not isinstance(graph, dict):
            return refuses("no_prompt", "No prompt provided", "No prompt provided")
        if self.jobs_api and not is_canonical(self._id):
            return self.refusals["an id"].answer
        if answer := self.checked(graph):
            return answer
        sizes = next(node["inputs"] for node in graph.values() if "width" in node["inputs"])
        seeds = [node["inputs"].get("seed", node["inputs"].get("value")) for node in graph.values()]
        seed = next(value for value in seeds if isinstance(value, int))
        task = self.take(body, (sizes["width"], sizes["height"]), seed=seed)
        return in_json({"prompt_id": task.id, "number": task.number - 1, "node_errors": {}})

    def new_id(self, number: int) -> str:
        """The client's own."""
        return self._id

    def checked(self, graph: dict[str, Any]) -> Answer | None:
        """What is wrong with it, or None."""
        known = nodes(self.files)
        for name, node in graph.items():
            kind = node.get("class_type")
            if kind not in known or kind in self.lacks:
                info = {"node_id": name, "class_type": kind}
                if self.jobs_api:
                    return refuses("missing_node_type", f"Node '{kind}' not found.", f"Node ID '#{name}'", **info)
                return refuses("invalid_prompt", f"Cannot execute because node {kind} does not exist.")
        if not any(node["class_type"] == "SaveImage" for node in graph.values()):
            return self.refusals["no output"].answer
        wrong = {
            name: {"errors": errors, "dependent_outputs": [], "class_type": node["class_type"]}
            for name, node in graph.items()
            if (errors := list(self.complaints(node["inputs"], known[node["class_type"]], graph)))
        }
        summary = error_of("prompt_outputs_failed_validation", "Prompt outputs failed validation", "")
        return in_json({"error": summary, "node_errors": wrong}, 400) if wrong else None

    def complaints(self, inputs: dict[str, Any], spec: Spec, graph: dict[str, Any]) -> Iterator[object]:
        """Of one node."""
        for name, (kind, *more) in spec.items():
            facts: dict[str, Any] = more[0] if more else {}
            value = inputs.get(name)
            if value is None:
                yield error_of("required_input_missing", "Required input is missing", name, input_name=name)
            elif isinstance(value, list):
                if len(value) != 2 or value[0] not in graph:
                    yield error_of("bad_linked_input", "Bad linked input", name, input_name=name)
            elif facts.get("image_upload"):
                if value not in self.inputs:
                    words = f"image - Invalid image file: {value}"
                    yield error_of("custom_validation_failed", "Custom validation failed for node", words)
            elif isinstance(kind, list):
                if value not in kind:
                    yield not_in_list(name, value, kind)
            elif kind in ("INT", "FLOAT") and not facts["min"] <= value <= facts["max"]:
                yield error_of("value_bigger_than_max", f"Value {value} bigger than max", name, input_name=name)

    def poll(self, seen: Seen, task: Task) -> Answer:
        """In the words of the route that was asked."""
        if seen.path == "/queue":
            return self.queue(task)
        old = bool(HISTORY.fullmatch(seen.path))
        if task.ending == "gone":
            return self.unknown_task(seen)
        if task.pending > 0 and not task.is_stopped if old else self.is_at_work(task):
            waits = task.pending == self.pending - 1
            word = self.word or ("pending" if waits else "in_progress")
            job = {"id": task.id, "status": word, "priority": task.number, "create_time": 1, "outputs_count": 0}
            return in_json({} if old else {**job, "workflow": {"prompt": task.asked["prompt"], "extra_data": {}}})
        entry = self.entry(task)
        if old:
            return in_json({task.id: entry})
        status = {"success": "completed", "error": "cancelled" if task.is_stopped else "failed"}
        messages = dict(entry["status"]["messages"])
        told = {
            "id": task.id,
            "status": status[entry["status"]["status_str"]],
            "execution_error": messages.get("execution_error"),
            "outputs": entry["outputs"],
            "execution_status": entry["status"],
            "workflow": {"prompt": task.asked["prompt"], "extra_data": {}},
        }
        return in_json({name: value for name, value in told.items() if value is not None})

    def queue(self, task: Task) -> Answer:
        """Running first, then pending."""
        at_work = task.ending != "gone" and self.is_at_work(task)
        item = [task.number, task.id, task.asked["prompt"], {"client_id": task.asked.get("client_id")}, ["14"]]
        waits = task.pending == self.pending - 1
        running, pending = [item] * (at_work and not waits), [item] * (at_work and waits)
        return in_json({"queue_running": running, "queue_pending": pending})

    def entry(self, task: Task) -> dict[str, Any]:
        """Of the history: a job that has ended."""
        about = {"prompt_id": task.id, "node_id": "12", "node_type": "KSampler", "timestamp": 1}
        messages: list[tuple[str, Any]] = [("execution_start", {"prompt_id": task.id, "timestamp": 1})]
        good = not task.is_stopped and self.end(task) == "ready"
        if task.is_stopped:
            messages.append(("execution_interrupted", {**about, "executed": []}))
        elif not good:
            words = {"exception_message": "Allocation on device 0\nwould exceed allowed memory. (out of memory)"}
            messages.append(("execution_error", {**about, **words, "exception_type": "torch.OutOfMemoryError"}))
        else:
            messages.append(("execution_success", {"prompt_id": task.id, "timestamp": 2}))
        saver = next(name for name, node in task.asked["prompt"].items() if node["class_type"] == "SaveImage")
        image = {"filename": f"FLUX-Depth_{task.id}_00001_.png", "subfolder": "", "type": "output"}
        return {
            "prompt": [task.number, task.id, task.asked["prompt"], {"client_id": ""}, [saver]],
            "outputs": {saver: {"images": [image]}} if good else {},
            "status": {"status_str": "success" if good else "error", "completed": good, "messages": messages},
        }

    def cancel(self, seen: Seen, task: Task) -> Answer:
        """Whatever state it is in; the older routes say nothing, and each stops only what is in its own state."""
        if JOB.fullmatch(seen.path):
            return in_json({"cancelled": self.stop(task)})
        waits = task.pending >= self.pending
        if waits == (seen.path == "/queue"):
            self.stop(task)
        return Answer(200, {"Content-Type": "application/octet-stream"}, b"")

    def task_in(self, seen: Seen) -> Task | None:
        """In the address, in the body, or of the queue whatever is in it."""
        if seen.path == "/queue" and seen.method == "GET":
            return next(reversed(self.tasks.values()), None)
        named = (seen.json or {}).get("prompt_id") or next(iter((seen.json or {}).get("delete", [])), "")
        return self.tasks.get(named) if named else super().task_in(seen)

    def unknown_task(self, seen: Seen) -> Answer:
        """In the words of the route."""
        if JOB.fullmatch(seen.path):
            return in_json({"cancelled": False}) if seen.kind == "cancel" else in_json({"error": "Job not found"}, 404)
        if seen.kind == "picture":
            return Answer(404, {}, b"")
        return in_json({"queue_running": [], "queue_pending": []} if seen.path == "/queue" else {})

    def probe(self, seen: Seen) -> Answer:
        """Who is there; what a class of nodes takes."""
        if seen.path == "/system_stats":
            system = {"os": "posix", "comfyui_version": "0.33.0" if self.jobs_api else "0.3.64", "argv": ["main.py"]}
            return in_json({"system": system, "devices": [{"name": "cpu", "type": "cpu", "index": None}]})
        kind = unquote(seen.path.removeprefix("/object_info/"))
        spec = nodes(self.files).get(kind) if kind not in self.lacks else None
        info = {"input": {"required": spec}, "name": kind, "output_node": kind == "SaveImage"}
        return in_json({kind: info} if spec else {})

    def upgraded(self, seen: Seen, handler: BaseHTTPRequestHandler) -> bool:
        """Tell the news to whoever connects, and wait until it leaves."""
        if seen.path != "/ws":
            return False
        guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1((seen.headers["sec-websocket-key"] + guid).encode()).digest())
        handler.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        sid = parse_qs(urlsplit(seen.target).query).get("clientId", [""])[0]
        status = {"exec_info": {"queue_remaining": 1}}
        greeting = json.dumps({"type": "status", "data": {"status": status, "sid": sid}})
        for message in [greeting, *self.news]:
            handler.wfile.write(frame(message))
        while handler.rfile.read(1) and not self.stopping.is_set():
            pass
        return True


EMULATOR = ComfyUI


def frame(message: str | bytes) -> bytes:
    """A whole message of the WebSocket, from a server."""
    from websockets.frames import Frame, Opcode

    if isinstance(message, str):
        return Frame(Opcode.TEXT, message.encode()).serialize(mask=False)
    return Frame(Opcode.BINARY, message).serialize(mask=False)


def is_canonical(name: str) -> bool:
    """jobs.py: validate_job_id."""
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False


def parts_of(seen: Seen) -> dict[str, tuple[str, bytes]]:
    """A multipart body: by field, the file's name and the bytes."""
    head = f"Content-Type: {seen.headers.get('content-type', '')}\r\n\r\n".encode()
    message = email.message_from_bytes(head + seen.body, policy=email.policy.HTTP)
    found = {}
    for part in message.iter_parts() if message.is_multipart() else ():  # type: ignore[attr-defined]
        name = part.get_param("name", header="content-disposition")
        found[str(name)] = (part.get_filename() or "", part.get_payload(decode=True) or b"")
    return found
