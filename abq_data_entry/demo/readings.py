"""The readings of a check, made up: plausible, and the same every time."""

import random
from dataclasses import dataclass, field

from ..constants import FieldNames as F
from ..fields import READINGS

PLOTS = 20
FAULTY_PLOT = 7
NOTE = "Sensor cable loose, technician called."
_SEEDS = ("AXM477", "AXM478", "AXM479", "AXM480")


@dataclass(frozen=True)
class PlotReading:
    """What the paper sheet says of one plot: the values by field name, as they are typed, in the sheet's order."""

    plot: int
    values: dict[str, str] = field(default_factory=dict)
    fault: bool = False
    notes: str = ""

    @property
    def seed_sample(self) -> str:
        """What grows in the plot to begin with; the form fills it in."""
        return _SEEDS[(self.plot - 1) % len(_SEEDS)]

    def record(self, date: str, time: str, lab: str, technician: str) -> dict[str, str]:
        """Return the whole record as texts."""
        return {
            F.DATE: date,
            F.TIME: time,
            F.LAB: lab,
            F.TECHNICIAN: technician,
            F.PLOT: str(self.plot),
            F.SEED_SAMPLE: self.seed_sample,
            F.EQUIPMENT_FAULT: "true" if self.fault else "false",
            F.NOTES: self.notes,
            **self.values,
        }


def check(hour: int, faulty_plot: int = 0) -> tuple[PlotReading, ...]:
    """Return the 20 readings of a check at this hour; `faulty_plot` has an equipment fault and a note."""
    chance = random.Random(hour)  # noqa: S311 - readings, not secrets
    return tuple(_reading(plot, chance, plot == faulty_plot) for plot in range(1, PLOTS + 1))


def _reading(plot: int, chance: random.Random, fault: bool) -> PlotReading:
    plants = chance.randint(7, 12)
    lowest = chance.uniform(8, 14) + plot % 4
    highest = lowest + chance.uniform(12, 24)
    values = {
        F.HUMIDITY: f"{chance.uniform(20, 28):.2f}",
        F.LIGHT: f"{chance.uniform(0.9, 4):.2f}",
        F.TEMPERATURE: f"{chance.uniform(20, 25):.2f}",
        F.PLANTS: str(plants),
        F.BLOSSOMS: str(chance.randint(0, plants * 3)),
        F.FRUIT: str(chance.randint(0, plants)),
        F.MIN_HEIGHT: f"{lowest:.2f}",
        F.MAX_HEIGHT: f"{highest:.2f}",
        F.MEDIAN_HEIGHT: f"{chance.uniform(lowest + 2, highest - 2):.2f}",
    }
    if fault:
        values = {name: text for name, text in values.items() if name not in READINGS}
    return PlotReading(plot, values, fault, NOTE if fault else "")
