"""The report: what people read when a study is done."""
