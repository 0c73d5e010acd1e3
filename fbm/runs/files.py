"""File names in a run folder, and the values of `resume`; without heavy imports."""

SUMMARY, CONFIG = "summary.json", "config.yaml"
METRICS = "metrics.csv"
PROBES = "probes.json"  # of `fbm analyse`
BIAS = "bias.json"  # of `fbm analyse --bias`
BAD_BATCH = "bad_batch"  # prefix of the files with the clips of a batch that ended a run
FAILURE = "failure.txt"  # the traceback, in the folder of a run that failed
CHECKPOINTS, BEST, LAST = "checkpoints", "best.ckpt", "last.ckpt"
AUTO, NONE = "auto", "none"  # values of `resume`; any other is a path
STUDY = "study.json"  # in a study's folder: its runs
