"""The application: the one package that may import all others; it connects the window to workflows and jobs."""

from .window import Application

__all__ = ["Application"]
