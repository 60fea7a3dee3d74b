"""The web page: NiceGUI, everything served from here, nothing loaded from elsewhere."""

from visionllm_interaction.server.ui.mount import mount_pages

__all__ = ["mount_pages"]
