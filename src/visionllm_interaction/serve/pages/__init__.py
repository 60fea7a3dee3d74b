"""The web page: NiceGUI, everything served from here, nothing loaded from elsewhere."""

from visionllm_interaction.serve.pages.mount import mount_pages

__all__ = ["mount_pages"]
