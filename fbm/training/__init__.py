"""From a config to a finished run: components, fit, resume, callbacks, loggers, ranks."""
