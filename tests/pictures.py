"""Pictures of the app, `make pictures`: each view of each page of this project as it is now, into reports/app/.

Light and dark, 1,280 and 1,920 pixels wide, as long as the page is. Ends with exit code 1 when a page shows an error, or
the browser asked another host for anything or complained.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from pathlib import Path
from typing import Literal

from tests.e2e.app_page import WIDTHS, AppPage, started, window
from tests.e2e.lab_page import chromium
from workbench.settings import find_project

VIEWS = {
    "Overview": {"": ""},
    "Runs": {"": ""},
    "Data": {"": "", "profiles": "?view=profiles", "drift": "?view=drift"},
    "Models": {"": "", "compare": "?view=Compare", "trail": "?view=Audit%20trail"},
    "Monitoring": {"": "", "alerts": "?view=alerts", "replays": "?view=replays"},
    "Serving": {"": "", "try": "?view=try", "find": "?view=find"},
    "Automation": {"": ""},
}
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
CAGED = "the document's frame is sandboxed"
"""What the browser says where a page that comes from data would run a script: as it should be."""
BAD = "[data-testid='stException'], [data-testid='stAlertContentError']"


def take(page: AppPage, folder: Path, ending: str) -> list[str]:
    """All views in one window; what is wrong with them."""
    wrong = []
    for title, views in VIEWS.items():
        for view, query in views.items():
            page.goto_page(title, query)
            page.page.wait_for_load_state("networkidle")
            name = "-".join(part for part in (title.lower(), view, ending) if part)
            page.shot(folder / f"{name}.png")
            wrong += [f"{name}: {each}" for each in page.page.locator(BAD).all_inner_texts()]
    wrong += [f"asked for {each}" for each in page.asked]
    return wrong + [each for each in page.complaints if CAGED not in each]


def main() -> int:
    project = find_project()
    folder = project.reports / "app"
    folder.mkdir(parents=True, exist_ok=True)
    wrong: list[str] = []
    with (
        tempfile.TemporaryDirectory() as home,
        started(project) as app,
        chromium(Path(home)) as browser,
    ):
        for scheme, width in itertools.product(SCHEMES, WIDTHS):
            with window(browser, app, scheme=scheme, width=width) as page:
                wrong += take(page, folder, f"{scheme}-{width}")
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")
    print(*wrong, sep="\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
