"""Settings that decide where and how fast a run happens and what is shown of it, not what comes out of it.

Without heavy imports: reports, which read nothing but files, leave out the same settings as the fingerprints.
"""

# How fast a run is and how much memory it takes; what comes out of it differs by rounding at most.
PERFORMANCE_KEYS = ("compile", "activation_checkpointing", "optim.fused", "trainer.benchmark")
# What is shown or looked after beside the training.
DISPLAY_KEYS = (
    *("logger", "callbacks.progress", "callbacks.gallery", "callbacks.confusion", "callbacks.throughput"),
    *("callbacks.finite", "trainer.log_every_n_steps", "trainer.enable_model_summary", "trainer.profiler"),
)
NON_SEMANTIC_KEYS = (
    *PERFORMANCE_KEYS,
    *DISPLAY_KEYS,
    *("name", "study", "run_dir", "overwrite", "test", "pretrained", "hydra"),
    *(
        "data.root",
        "data.folders",
        "data.test_lists",
        "data.annotations",
        "data.store",
        "data.num_workers",
        "data.workers",  # its name in runs of an earlier fbm
        "data.skip_broken",
        "data.generate",
    ),
    *("data.source", "data.module", "masks.source", "init.checkpoint", "resume", "callbacks.last"),
)


def under(key: str, paths: tuple[str, ...]) -> bool:
    """Whether a dotted key is one of `paths` or inside one."""
    return any(key == path or key.startswith(f"{path}.") for path in paths)
