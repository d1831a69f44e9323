"""Is it true? The shown map against the other methods and random orders, by deletion and insertion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtGui import QColor

from vitviz.ui.asked_panel import AskedPanel, Form
from vitviz.ui.choice_box import choice_box
from vitviz.ui.jobs import Progress, Worker
from vitviz.ui.opening import Opened
from vitviz.ui.pane import Pane
from vitviz.ui.truth_sheet import TruthSheet

if TYPE_CHECKING:
    from vitviz.attention.curves import Faithfulness
    from vitviz.attention.trace import Trace

KIND = "faithfulness"
REMOVALS = (("patches turn grey", "grey"), ("patches are blurred", "blurred"))
SCORES = (("probability", "probability"), ("logit", "logit"))


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What came of a run: the curves, of which trace, and why some methods are not among them."""

    found: Faithfulness
    trace: Trace
    gaps: list[str]


class TruthPanel(AskedPanel[Judged]):
    """Runs the test and shows curves and areas."""

    def __init__(self, pane: Pane, worker: Worker) -> None:
        self.sheet = TruthSheet()
        super().__init__(
            pane,
            worker,
            kind=KIND,
            tip="Take the patches away in the order of each method, and ask the model meanwhile",
            target_tip="The class that should fall and rise",
            least_classes=2,
            forms=[
                Form(".csv", "Numbers as CSV…", "Numbers", lambda judged: judged.found.csv().encode()),
                Form(".png", "Picture as PNG…", "PNG pictures", lambda judged: self.sheet.picture()),
            ],
        )
        self.plots, self.table = self.sheet.plots, self.sheet.table
        self.removal = choice_box(REMOVALS, "What a patch becomes that is taken away")
        self.score = choice_box(SCORES, "What the curves are of")
        self.lay_out([self.removal, self.score], self.sheet)
        self.show_result()

    def set_colors(self, background: QColor, foreground: QColor) -> None:
        """The colours of the plots."""
        self.plots.set_colors(background, foreground)

    def work(self, opened: Opened, target: int) -> Callable[[Progress], Judged]:
        """Make the maps of all methods, then take their patches away."""
        shown = self.pane.map
        model, image, seen = opened.model, opened.image, opened.trace
        removal, score = self.removal.currentData(), self.score.currentData()

        def judge(progress: Progress) -> Judged:
            from vitviz.attention.contenders import contenders
            from vitviz.attention.faithfulness import faithfulness

            def first(fraction: float | None, text: str) -> None:
                progress(fraction, f"1 of 2, the maps: {text}")

            def then(fraction: float | None, text: str) -> None:
                progress(fraction, f"2 of 2, the curves: {text}")

            maps, gaps = contenders(model, image, seen, target, shown, progress=first, cancel=progress.cancelled)
            found = faithfulness(
                model, image, maps, target,
                removal=removal, score=score, seen=seen, progress=then, cancel=progress.cancelled,
            )  # fmt: skip
            return Judged(found, seen, gaps)

        return judge

    def draw(self) -> None:
        """The curves and the table; why a method is not there is in the caption's tip."""
        self.sheet.show_found(self.result.found if self.result else None)
        self.caption.setToolTip("\n".join(self.result.gaps) if self.result else "")

    def stem(self, result: Judged) -> str:
        """Of faithfulness, for a class."""
        return f"faithfulness {result.found.label}"

    def words(self) -> str:
        """What the areas are of, and what is not to be compared."""
        judged = self.result
        if judged is not None:
            off = f", {judged.trace.ablation.words}" if judged.trace.ablation else ""
            words = f"Areas under the curves of {judged.found.label}{off}; the best is bold. "
            words += "Gain is insertion less deletion."
            if len(grids := judged.found.grids) > 1:
                sizes = ", ".join(f"{rows} x {cols}" for rows, cols in grids)
                words += f" Grids differ ({sizes}): the best of each is bold, beside the random orders of its own grid."
            missing = ", ".join(gap.partition(":")[0] for gap in judged.gaps)
            return f"{words} Not defined for this model: {missing}." if missing else words
        if self.pane.opened is not None and not self.has_classes:
            return "This model has no classes, so nothing can fall or rise."
        return "Does the shown map say what the model looks at? Run takes its patches away and watches the class."
