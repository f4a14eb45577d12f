"""Exit codes in words: what 127 and 137 mean to those who do not know them by heart.

In: an exit code. Out: a few words. Never here: what it means for a step (`exits`).

By convention of shells 126 and 127 say that there was nothing to run, and 128 + N that signal N ended the program. The
numbers are those of Linux, on which every container runs.
"""

_WORDS = {
    126: "the command cannot be executed",
    127: "the command was not found",
    129: "SIGHUP",
    130: "SIGINT: interrupted",
    131: "SIGQUIT",
    132: "SIGILL: illegal instruction",
    134: "SIGABRT: aborted itself",
    135: "SIGBUS: crashed",
    136: "SIGFPE: arithmetic error",
    137: "SIGKILL: killed, out of memory or from outside",
    139: "SIGSEGV: crashed",
    141: "SIGPIPE: nobody read its output",
    143: "SIGTERM: told to stop",
    152: "SIGXCPU: used too much processor time",
    153: "SIGXFSZ: wrote too large a file",
}
_SIGNALS = range(129, 193)


def exit_words(exit_code: int) -> str:
    """Return how a program ended: `exited with code 137 (SIGKILL: killed, out of memory or from outside)`."""
    meaning = _WORDS.get(exit_code) or (f"signal {exit_code - 128}" if exit_code in _SIGNALS else "")
    return f"exited with code {exit_code}" + (f" ({meaning})" if meaning else "")


def signal_words(number: int) -> str:
    """Return how a process ended by a signal: `was ended by signal 9 (SIGKILL: …)`."""
    meaning = _WORDS.get(128 + number)
    return f"was ended by signal {number}" + (f" ({meaning})" if meaning else "")
