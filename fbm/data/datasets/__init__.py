"""Which videos a data set consists of, with labels, groups and splits."""
