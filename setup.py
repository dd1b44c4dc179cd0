"""Build step only; the facts stand in pyproject.toml.

The schema and the two sample servers live at the top of the checkout, where people look for them; a wheel carries
them inside the package, in ``abq_data_entry/bundled/``.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

BUNDLED = ("create_db.sql", "sample_http_server.py", "basic_ftp_server.py")


class BuildWithBundledFiles(build_py):
    """Copies the bundled files into the build, never into the source tree."""

    def run(self) -> None:
        if not self.editable_mode:  # modules of an earlier build, gone from the source since, would be packed again
            shutil.rmtree(Path(self.build_lib, "abq_data_entry"), ignore_errors=True)
        super().run()
        if self.editable_mode:  # an editable installation finds them in the checkout
            return
        folder = Path(self.build_lib, "abq_data_entry", "bundled")
        self.mkpath(str(folder))
        for name in BUNDLED:
            self.copy_file(name, str(folder / name))


setup(cmdclass={"build_py": BuildWithBundledFiles})
