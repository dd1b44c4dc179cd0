"""SQLite files of this computer, in the data folder: one user at a time, checked, and repaired if damaged.

- `database.Database`: one file. Each use of it is one transaction, which is on disk at its end. Raises `StoreError`.
  Its `Layout` says how the rows of a damaged file are recovered.
- `drafts.DraftFile`: the drafts (half-typed records) of all open windows, in a file that may be deleted. The last known
  copy of the databases (`journal.KnownFile`) is in that file as well.

SQLite is imported at the first use, so that the start of the window doesn't wait for it.
"""
