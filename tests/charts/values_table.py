"""The table of values in the chart's README, made from the comments of values.yaml.

`python -m tests.charts.values_table` writes it anew.
"""

from dataclasses import dataclass

import yaml

from tests.charts.rendering import CHART

BEGIN, END = "<!-- values: begin -->\n", "<!-- values: end -->\n"


@dataclass(frozen=True)
class Entry:
    comment: str
    default: str


def documented_keys(text: str) -> dict[str, Entry]:
    """Path → comment and default of every value; a key that only holds others has no entry of its own."""
    found: dict[str, Entry] = {}
    parents: list[str] = []
    comment: list[str] = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        stripped = line.strip()
        if stripped.startswith("#"):
            comment.append(stripped.removeprefix("#").strip())
        elif not stripped:
            comment = []
        else:
            depth = (len(line) - len(line.lstrip())) // 2
            key, _, default = stripped.partition(":")
            if depth > len(parents):  # inside a default value that spans lines
                continue
            del parents[depth:]
            path = ".".join([*parents, key])
            if comment:
                found[path] = Entry(" ".join(comment), default.strip() or _block(lines[number + 1 :], depth))
            elif not default.strip():
                parents.append(key)
            else:
                found[path] = Entry("", default.strip())
            comment = []
    return found


def _block(lines: list[str], depth: int) -> str:
    inside = []
    for line in lines:
        if not line.startswith("  " * (depth + 1)):
            break
        inside.append(line)
    value = yaml.safe_load("\n".join(inside))
    return yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False).strip()


def table(text: str) -> str:
    rows = [
        f"| `{path}` | `{entry.default}` | {entry.comment.replace('|', chr(92) + '|')} |"
        for path, entry in documented_keys(text).items()
    ]
    return "\n".join(["| value | default | |", "| --- | --- | --- |", *rows]) + "\n"


def main() -> None:
    readme = CHART / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}{table((CHART / 'values.yaml').read_text())}{END}{after}")


if __name__ == "__main__":
    main()
