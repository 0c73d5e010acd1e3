"""The command line: commands, Hydra applications, help, doctor."""
