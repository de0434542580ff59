"""One file a format, each with a function `rows(source, writing)` that keeps to `cbtrun.tables.row.Reader`.

To add a format: write its file here and a line into `FORMATS` of `cbtrun.tables.formats`, or into `SHAPES` there where it is a
kind of JSON document (`fits(document)` and `rows(document, source)`). A reader takes bytes through `cbtrun.tables.source`, text
through `text_file` and zips through `archive`, which bound what is read; it runs nothing of a file, and makes nothing up.
"""
