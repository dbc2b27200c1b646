"""Commands called in this process."""


def refusal(main, arguments, capsys, quiet=True):
    """What a wrong call says: exit code 2 and one line on standard error; nothing else if quiet."""
    try:
        code = main(arguments)
    except SystemExit as stop:  # argparse
        code = stop.code
    assert code == 2
    printed = capsys.readouterr()
    assert not (quiet and printed.out)
    assert len(printed.err.splitlines()) == 1, printed.err
    return printed.err
