"""What the demo prints while it plays, and the report that it leaves."""

import time
from pathlib import Path


class Story:
    """Collects what was done, how long it took, the pictures and the answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._begun = time.monotonic()
        self._step_begun = self._begun
        self._steps: list[tuple[str, float]] = []
        self._pictures: list[tuple[str, str]] = []
        self._answers: list[tuple[str, str]] = []
        self._notes: list[str] = []
        self._reader = ""

    def done(self, text: str) -> None:
        """Print and note that a step is done, and how long it took."""
        now = time.monotonic()
        seconds, self._step_begun = now - self._step_begun, now
        self._steps.append((text, seconds))
        print(f"{len(self._steps):2}  {text} ({seconds:.1f} s)", flush=True)

    def note(self, text: str) -> None:
        """Print and note, once, something the reader should know, such as a picture that couldn't be taken."""
        if text not in self._notes:
            self._notes.append(text)
            print(f"    {text}", flush=True)

    def next_picture(self, name: str) -> Path:
        """Return the file of the next picture; they are numbered in their order."""
        return self.folder / f"{len(self._pictures) + 1:02}-{name}.png"

    def picture_taken(self, path: Path, text: str) -> None:
        """Note that a picture was taken."""
        self._pictures.append((path.name, text))

    def answer(self, reader: str, query: str, text: str, shown: str) -> None:
        """What the database answered: `text` for the report, `shown` (if anything) for the terminal."""
        self._reader = reader
        self._answers.append((query, text))
        if not shown:
            return
        print(f"\n    {query}", flush=True)
        print("\n".join(f"    {line.rstrip()}" for line in shown.rstrip().splitlines()), flush=True)

    def finish(self, records: list[str]) -> None:
        """Write `report.md`; `records` are lines about what was verified."""
        seconds = time.monotonic() - self._begun
        steps = [f"| {number} | {text} | {took:.1f} |" for number, (text, took) in enumerate(self._steps, 1)]
        lines = [
            "# A laboratory's day",
            "",
            f"Played by `abq-data-entry demo` in {seconds:.1f} s, in a database of its own.",
            "",
            *_section("What was done", ["| | step | seconds |", "|---|---|---|", *steps]),
            *_section("What was verified", [f"- {line}" for line in records]),
            *(_section("Notes", [f"- {line}" for line in self._notes]) if self._notes else []),
            "## Pictures",
            "",
            *(line for name, text in self._pictures for line in (text, "", f"![{name}]({name})", "")),
            f"## What the database answers ({self._reader})",
            "",
        ]
        for query, text in self._answers:
            lines += ["```", f"{query}", "", *(line.rstrip() for line in text.rstrip().splitlines()), "```", ""]
        (self.folder / "report.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
        print(f"\nThe day took {seconds:.0f} s. Screenshots, delivered files and report: {self.folder}", flush=True)


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"## {title}", "", *lines, ""]
