"""The words of the command line, a module each; none of them needs a display but the window and the demo."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    Words = argparse._SubParsersAction[argparse.ArgumentParser]
