"""What a user can mend: raised anywhere, printed by the command line as one line, never as a traceback."""


class UserError(ValueError):
    """Bad input. The message names what is wrong, where it is, and how to mend it."""


class InUseError(UserError):
    """Another process holds the folder that is asked for."""
