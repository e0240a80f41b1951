"""Numbers laid out for a terminal."""

__all__ = ["ruled"]


def ruled(cells: list[list[str]]) -> list[str]:
    """Lines of a table: two of head (an empty second is left out), then the rest, the first column to the left."""
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]

    def join(line: list[str]) -> str:
        first, *rest = line
        padded = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        return "  ".join([first.ljust(widths[0]), *padded]).rstrip()

    rule = "─" * (sum(widths) + 2 * len(widths) - 2)
    return [rule, *map(join, filter(any, cells[:2])), rule, *map(join, cells[2:]), rule]
