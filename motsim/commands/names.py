"""The commands: each with its module, which has `main` and `parser`, and what it does."""

__all__ = ["COMMANDS"]

COMMANDS = {
    "sweep": ("motsim.sweep", "run sweeps: tables, verdicts, figures"),
    "verify": ("motsim.verify", "check claims; exit code 0 only if each verdict is as recorded"),
    "rates": ("motsim.rates.__main__", "which law do the curves of your own files follow?"),
    "figures": ("motsim.figures.__main__", "draw figures from stored tables"),
    "report": ("motsim.report.__main__", "write one HTML page of verdicts and figures"),
    "repair": ("motsim.repair", "save the sound runs of a damaged results folder"),
    "new": ("motsim.commands.new", "write a folder for a claim of your own, which works"),
    "explain": ("motsim.commands.explain", "say what a word, a symbol or a claim means"),
    "compare": ("motsim.commands.compare", "where two results folders, or tables, differ"),
    "table": ("motsim.commands.table", "print a table, also for LaTeX"),
    "completion": ("motsim.commands.completion", "print what completes words in your shell"),
}
