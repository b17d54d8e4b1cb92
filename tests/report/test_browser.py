"""The report in a real browser: it draws, says nothing in the console, and asks for nothing outside."""

import asyncio
import os
import re
import shutil
import signal
from pathlib import Path

import pytest

from kilonode.report.campaign_page import campaign_html
from kilonode.report.html import report_html
from tests.report import campaigns
from tests.report.runs import HOSTILE, metadata, results

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TIMEOUT_S = 120
PNG = b"\x89PNG"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.real_loop,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)"),
]
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
    "--window-size=1400,3000",
)  # fmt: skip

PROBE = """
<script>
addEventListener("load", () => setTimeout(() => {
  const asked = performance.getEntriesByType("resource").map((entry) => entry.name);
  const canvases = [...document.querySelectorAll("canvas")];
  const drawn = canvases.filter((canvas) => canvas.getContext("2d")
    .getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value)).length;
  const head = document.querySelector("#w1 .steps thead button");
  head.click(); head.click();
  const steps = [...document.querySelectorAll("#w1 .steps tbody th")].map((cell) => cell.dataset.value).join();
  const wide = document.documentElement.scrollWidth - innerWidth;
  document.getElementById("theme").click();
  console.log(`PROBE asked=${asked.length} canvases=${canvases.length} drawn=${drawn} wide=${wide} ` +
    `theme=${document.documentElement.dataset.theme} steps=${steps} END`);
}, 300));
</script>
"""


async def browse(page: Path, *flags: str) -> str:
    """What chromium says on stderr while it shows the page."""
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={page.parent / 'profile'}", *flags, page.as_uri()]
    # A group of its own: chromium's helpers must not outlive it.
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        _, stderr = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        await process.wait()
    return stderr.decode(errors="replace")


def console(said: str) -> list[str]:
    return [line for line in said.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("error", ["503 from backend-7", HOSTILE], ids=["plain", "hostile"])
async def test_the_report_draws_without_a_word_in_the_console(error: str, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(report_html(results(error), metadata(name=error)), encoding="utf-8")
    picture = tmp_path / "report.png"
    said = await browse(page, f"--screenshot={picture}")
    assert console(said) == []
    assert picture.read_bytes().startswith(PNG)


@pytest.mark.parametrize(("width", "scheme"), [(1400, "1"), (500, "0")])
async def test_every_chart_is_drawn_tables_sort_and_nothing_is_asked_for(
    width: int, scheme: str, tmp_path: Path
) -> None:
    # The probe is a script of the test's own: for it the policy is lifted.
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report_html(results(), metadata()))
    page = tmp_path / "report.html"
    page.write_text(text.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    said = await browse(
        page,
        "--dump-dom",
        "--virtual-time-budget=3000",
        f"--window-size={width},2000",
        f"--blink-settings=preferredColorScheme={scheme}",
    )
    found = re.search(r"PROBE (.*) END", said)
    assert found is not None, said
    facts = dict(part.split("=", 1) for part in found[1].split(" "))
    assert facts["asked"] == "0"
    assert int(facts["canvases"]) == int(facts["drawn"]) > 10
    assert int(facts["wide"]) <= 0
    assert facts["theme"] == ("dark" if scheme == "1" else "light")
    assert facts["steps"].startswith("delete,boot.active,boot.accepted,boot")


@pytest.mark.parametrize(("name", "scheme"), [("boots", "1"), (HOSTILE, "0")], ids=["plain", "hostile"])
async def test_the_page_of_a_campaign_draws_every_chart_in_light_and_dark(
    name: str, scheme: str, tmp_path: Path
) -> None:
    text = campaign_html(campaigns.campaign(undone=(7,), name=name), campaigns.metadata(name=name))
    page = tmp_path / "report.html"
    page.write_text(text, encoding="utf-8")
    assert console(await browse(page, f"--blink-settings=preferredColorScheme={scheme}", "--dump-dom")) == []
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    probe = PROBE.replace("#w1 .steps", ".points")
    page.write_text(text.replace("</body>", f"{probe}</body>"), encoding="utf-8")
    said = await browse(page, "--dump-dom", "--virtual-time-budget=3000")
    found = re.search(r"PROBE (.*) END", said)
    assert found is not None, said
    facts = dict(part.split("=", 1) for part in found[1].split(" ") if "=" in part)
    assert facts["asked"] == "0"
    assert facts["drawn"] == facts["canvases"] != "0"
    assert int(facts["wide"]) <= 0
