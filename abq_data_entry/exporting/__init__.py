"""The rows of a view as a file: CSV, a workbook for Excel and LibreOffice, Parquet, or a Frictionless data package.

Each format is a `Writer` in a module of its own, imported at its first use. Writers take constant memory.
"""

from abq_data_entry.exporting.formats import FORMATS, CsvStyle, FormatMissing, Metadata, Sink, Writer, make_writer

__all__ = ["FORMATS", "CsvStyle", "FormatMissing", "Metadata", "Sink", "Writer", "make_writer"]
