"""Settings that decide where and how fast a run happens and what is shown of it, but not its results.

Without heavy imports: reports read nothing but files, and ignore the same settings as the fingerprints.
"""

from typing import Any

# How fast a run is and how much memory it takes; results differ by rounding at most.
PERFORMANCE_KEYS = ("compile", "activation_checkpointing", "optim.fused", "trainer.benchmark")
# What is logged, shown or checked besides the training.
DISPLAY_KEYS = (
    "logger",
    "callbacks.progress",
    "callbacks.gallery",
    "callbacks.confusion",
    "callbacks.throughput",
    "callbacks.finite",
    "trainer.log_every_n_steps",
    "trainer.enable_model_summary",
    "trainer.profiler",
)
# Where the files of fbm's own data sets are, for reports, which import no data set. Those of any other data set follow
# from its signature, see `fbm.config.targets.path_keys`.
PATH_KEYS = ("data.root", "data.folders", "data.csv", "data.lists", "data.test_lists", "data.annotations", "data.store")
NON_SEMANTIC_KEYS = (
    *PERFORMANCE_KEYS,
    *DISPLAY_KEYS,
    *PATH_KEYS,
    "name",
    "study",
    "run_dir",
    "overwrite",
    "test",
    "pretrained",
    "hydra",
    "data.num_workers",
    "data.workers",  # its name in runs of an earlier fbm
    "data.skip_broken",
    "data.generate",
    "data.source",
    "data.module",
    "masks.source",
    "init.checkpoint",
    "resume",
    "callbacks.last",
)


def under(key: str, paths: tuple[str, ...]) -> bool:
    """Whether a dotted key is one of `paths` or inside one."""
    return any(key == path or key.startswith(f"{path}.") for path in paths)


def flatten(content: Any, path: str = "") -> dict[str, Any]:
    """Nested dicts to one with dotted keys; lists are values."""
    if not isinstance(content, dict) or not content:
        return {path: content}
    parts = [flatten(value, f"{path}.{key}".lstrip(".")) for key, value in content.items()]
    return {key: value for part in parts for key, value in part.items()}
