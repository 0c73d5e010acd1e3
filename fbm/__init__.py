"""fbm: disentangling the foreground, background and motion features of videos."""

__version__ = "0.1.0"
