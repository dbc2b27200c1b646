"""Tables of curves in a file, and what was read of them."""


def table(tmp_path, header, rows, name="curves.csv"):
    """Write a CSV file and return its path."""
    path = tmp_path / name
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def curve(t, shift=0.0):
    """A loss with its value known at each step."""
    return 1.0 / (1 + t) + shift


def pairs(curves):
    """Return the (group, run) pairs in their order, and their number of rows."""
    frame = curves.frame
    return frame.groupby(["group", "run"], observed=True, sort=False).size().to_dict()


def said(curves, *words):
    """Tell whether one note holds all words."""
    return any(all(word in note for word in words) for note in curves.notes)
