"""The rows of a view as a file: CSV, a workbook for Excel and LibreOffice, Parquet, or a Frictionless data package.

Each format is a `Writer` in a module of its own, imported with its first use. Memory doesn't grow with the rows.
"""

from abq_data_entry.exporting.formats import FORMATS, CsvStyle, FormatMissing, Sink, Told, Writer, make_writer

__all__ = ["FORMATS", "CsvStyle", "FormatMissing", "Sink", "Told", "Writer", "make_writer"]
