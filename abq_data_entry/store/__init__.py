"""What this computer keeps in SQLite files of the data folder: opened one at a time, checked, and mended.

- `database.Database`: one file; each use of it is one transaction, on the disk when it has ended.
- `drafts.Drafts`: what is half typed, of each open window; in the file that may be thrown away.
- `known_copy.KnownCopies`: the last known copy of the databases, as texts; in the same file.

SQLite is imported with the first use: no window pays for it before it stands.
"""
