"""Buttons beside the work itself: preferences, folders, connections, the journal's health, and news."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import StringProperty

from . import arrivals, placement, preferences, watch, worker_process
from .button import Button, JobButton
from .core.errors import InputError
from .properties import model_or_none, switch_model

if TYPE_CHECKING:
    from .core.job import Job


class FLUXDEPTH_OT_use_sandbox(Button):
    """Use the sandbox: it paints from the depth on this computer, needs no key, and costs nothing"""

    bl_idname = "flux_depth.use_sandbox"
    bl_label = "Try the Sandbox"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> None:
        switch_model(context.scene.flux_depth, "sandbox")


class FLUXDEPTH_OT_open_preferences(Button):
    """Open this add-on's preferences"""

    bl_idname = "flux_depth.open_preferences"
    bl_label = "Open Preferences"

    def run(self, context: bpy.types.Context) -> None:
        if model := model_or_none(context.scene.flux_depth):
            setattr(preferences.current(), f"show_{model.provider.name}", True)
        bpy.ops.preferences.addon_show(module=__package__)


class FLUXDEPTH_OT_open_folder(Button):
    """Open the folder with the journal, its pictures, and a models.toml of your own"""

    bl_idname = "flux_depth.open_folder"
    bl_label = "Open the Add-on's Folder"

    def run(self, _context: bpy.types.Context) -> None:
        folder = preferences.data_folder()
        folder.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.path_open(filepath=str(folder))


class FLUXDEPTH_OT_test_connection(Button):
    """Ask the provider a question that costs nothing, to see whether it can be reached and takes the key"""

    bl_idname = "flux_depth.test_connection"
    bl_label = "Test Connection"

    provider: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    model: StringProperty(description="Of its models this one; none: the first", options={"HIDDEN", "SKIP_SAVE"})

    def run(self, _context: bpy.types.Context) -> None:
        provider = preferences.table().provider(self.provider)
        model = preferences.table().models.get(self.model) or next(preferences.table().of(provider.name), None)
        if model is None:
            raise InputError(f"The table has no model of {provider.label} to ask for. Nothing was sent.")
        if reason := preferences.consent_reason(provider) or preferences.offline_reason(provider):
            raise InputError(f"{reason}. Nothing was sent.")
        from .core.connection import note_connection

        note_connection(watch.journal().database, provider.name, "", good=True)
        watch.start_worker()
        worker_process.feed({"probe": model.id})
        watch.follow()


class FLUXDEPTH_OT_open_account(JobButton):
    """Open the provider's page in the browser, to see what was charged or to add credit"""

    bl_idname = "flux_depth.open_account"
    bl_label = "Open Account"

    def run(self, _context: bpy.types.Context) -> None:
        model = preferences.table()[watch.journal().get(self.job_id).request.model]
        bpy.ops.wm.url_open(url=model.provider.key_page)


class FLUXDEPTH_OT_copy_report(JobButton):
    """Copy what we need to find the fault: versions, provider, task and error; no prompt, name, folder or key"""

    bl_idname = "flux_depth.copy_report"
    bl_label = "Copy Report"

    def run(self, context: bpy.types.Context) -> None:
        context.window_manager.clipboard = report_of(watch.journal().get(self.job_id))
        self.report({"INFO"}, "The report is in the clipboard: paste it into a message to us")


class FLUXDEPTH_OT_show_news(Button):
    """Show the newest of them in an Image Editor, and note that all were seen"""

    bl_idname = "flux_depth.show_news"
    bl_label = "Show"

    def run(self, context: bpy.types.Context) -> None:
        pictures = [job for job in watch.jobs.values() if job.id in arrivals.news and job.result]
        _wave_away()
        if pictures:
            placement.show_in_editor(placement.load(Path(pictures[0].result)), open_one=True)
            context.window_manager.flux_depth_job = list(watch.jobs).index(pictures[0].id)


class FLUXDEPTH_OT_dismiss_news(Button):
    """Note that they were seen. They stay in the list"""

    bl_idname = "flux_depth.dismiss_news"
    bl_label = "Dismiss"

    def run(self, _context: bpy.types.Context) -> None:
        _wave_away()


class FLUXDEPTH_OT_adopt_journal(Button):
    """Copy that Blender's pictures and jobs into this one's journal. The other one stays as it is"""

    bl_idname = "flux_depth.adopt_journal"
    bl_label = "Bring Them Here"

    folder: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def run(self, _context: bpy.types.Context) -> None:
        from .core.recovery import adopt

        number = adopt(Path(self.folder), watch.journal())
        _withdraw(self.folder)
        self.report({"INFO"}, f"{number} jobs were brought here")


class FLUXDEPTH_OT_decline_journal(Button):
    """Leave that Blender's pictures where they are, and do not ask again"""

    bl_idname = "flux_depth.decline_journal"
    bl_label = "Leave Them There"

    folder: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def run(self, _context: bpy.types.Context) -> None:
        from .core.recovery import note_adopted

        note_adopted(watch.journal().database, Path(self.folder))
        _withdraw(self.folder)


class FLUXDEPTH_OT_start_new_journal(Button):
    """Set the damaged journal aside and begin a new one with all that was ever sent, from the jobs' own folders"""

    bl_idname = "flux_depth.start_new_journal"
    bl_label = "Start a New Journal"

    def run(self, _context: bpy.types.Context) -> None:
        from .core.recovery import start_anew

        watch.let_go_of_journal()
        worker_process.let_go()
        number = start_anew(preferences.data_folder())
        watch.follow()
        self.report({"INFO"}, f"{number} jobs were found again; the damaged journal was set aside")


def report_of(job: Job) -> str:
    """What the clipboard gets."""
    from .core.report import report

    log = worker_process.log(preferences.data_folder())
    return report(job, _surroundings(), log, preferences.keys().values())


def _wave_away() -> None:
    watch.journal().mark_seen(list(arrivals.news))
    arrivals.news.clear()
    watch.refresh()


def _withdraw(folder: str) -> None:
    watch.offers[:] = [offer for offer in watch.offers if str(offer.folder) != folder]
    watch.follow()


def _surroundings() -> dict[str, str]:
    from sysconfig import get_platform

    return {
        "FLUX Depth": preferences.version(),
        "Blender": bpy.app.version_string,
        "Python": sys.version.split()[0],
        "System": get_platform(),  # platform.platform() would start `uname` or `ver`, with our keys in its environment
    }


classes = (
    FLUXDEPTH_OT_use_sandbox,
    FLUXDEPTH_OT_open_preferences,
    FLUXDEPTH_OT_open_folder,
    FLUXDEPTH_OT_test_connection,
    FLUXDEPTH_OT_open_account,
    FLUXDEPTH_OT_copy_report,
    FLUXDEPTH_OT_show_news,
    FLUXDEPTH_OT_dismiss_news,
    FLUXDEPTH_OT_adopt_journal,
    FLUXDEPTH_OT_decline_journal,
    FLUXDEPTH_OT_start_new_journal,
)
register, unregister = bpy.utils.register_classes_factory(classes)
