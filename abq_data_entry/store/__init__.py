"""What this computer keeps in SQLite files of the data folder: opened one at a time, checked, and mended.

- `database.Database`: one file; each use of it is one transaction, on the disk when it has ended. `StoreError`.
  What can still be read of a damaged file is found by its `Layout`.
- `drafts.DraftFile`: what is half typed, of each open window, in the file that may be thrown away. The last known copy
  of the databases (`journal.KnownFile`) stands there as well.

SQLite is imported with the first use: no window pays for it before it stands.
"""
