"""The application: the one place that knows all rooms, and wires the window to models, network and jobs."""

from .window import Application

__all__ = ["Application"]
