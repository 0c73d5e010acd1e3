"""What the files of a run folder are called, and the values of `resume`. Who only looks for them needs no torch."""

SUMMARY, CONFIG = "summary.json", "config.yaml"
METRICS = "metrics.csv"
BAD_BATCH = "bad_batch"  # begins the names of files with the clips of a batch that ended a run
FAILURE = "failure.txt"  # the traceback, in the folder of a run that failed
CHECKPOINTS, BEST, LAST = "checkpoints", "best.ckpt", "last.ckpt"
AUTO, NONE = "auto", "none"  # values of `resume`; any other is a path
STUDY = "study.json"  # in a study's folder: the runs that it consists of
