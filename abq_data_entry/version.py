"""The version of this application: of the installed package, or of the checkout."""

import re
from pathlib import Path


def version() -> str:
    """Return the version, such as `1.0.0`; `unknown` if neither a package nor a checkout has it."""
    from importlib import metadata

    project = Path(__file__).resolve().parent.parent / "pyproject.toml"
    try:  # the checkout of this file comes before an installed package, which may be of another version
        found = re.search(r'^version = "([^"]+)"$', project.read_text(encoding="utf-8"), re.MULTILINE)
        return found[1] if found else metadata.version("abq-data-entry")
    except OSError:
        pass
    try:
        return metadata.version("abq-data-entry")
    except metadata.PackageNotFoundError:
        return "unknown"
