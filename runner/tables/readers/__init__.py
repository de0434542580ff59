"""One file a format, each with a function `rows(path, writing)` that keeps to `cbtrun.tables.row.Reader`.

To add a format: write its file here and put its endings into `READERS` of `cbtrun.tables.transcript_table`. A reader takes
text through `cbtrun.tables.text_file`, which bounds what it reads, runs nothing of a file, and makes nothing up.
"""
