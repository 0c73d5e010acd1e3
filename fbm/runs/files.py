"""File names in a run folder, and the values of `resume`; without heavy imports."""

SUMMARY, CONFIG = "summary.json", "config.yaml"
METRICS = "metrics.csv"
WANDB_ID = "wandb_id"  # W&B's id of the run
PROBES = "probes.json"  # of `fbm analyse`
BIAS = "bias.json"  # of `fbm analyse --bias`
BAD_BATCH = "bad_batch"  # prefix of the files with the clips of a batch that ended a run
FAILURE = "failure.txt"  # the traceback, in the folder of a run that failed
CHECKPOINTS, BEST, LAST = "checkpoints", "best.ckpt", "last.ckpt"
AUTO, NONE = "auto", "none"  # values of `resume`; any other is a path
# In a folder of `fbm export`; a summary.json or config.yaml would make it a run.
EXPORTED_WEIGHTS, EXPORTED_SETTINGS, EXPORTED_RESULTS = "model.safetensors", "config.json", "results.json"
STUDY = "study.json"  # in a study's folder: its runs
