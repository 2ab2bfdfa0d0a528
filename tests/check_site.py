"""Look at the built site in a browser: make docs, then make docs-look.

No page may print an error to the console, or be wider than a phone; thumbnails and results of the
search have to be there. CHROMIUM names the browser.
"""

import os
import re
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SITE = Path(__file__).parent.parent / "docs" / "_build" / "html"
BROWSER = os.environ.get("CHROMIUM") or shutil.which("chromium") or "chromium"
PAGES = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html"))
LOOKED_AT = [page for page in PAGES if not page.startswith(("_", "genindex", "search"))]
PHONE = 390
MEASURE = """<!DOCTYPE html><iframe id=f width={width} height=800 src="/{page}"></iframe>
<p id=told></p>
<script>f.onload = () => setTimeout(() => {{
  const root = f.contentDocument.documentElement;
  told.textContent = "wide " + root.scrollWidth + " theme " + root.dataset.theme;
}}, 500);</script>"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves the site, and pages that measure it."""

    def do_GET(self):
        if not self.path.startswith("/measure/"):
            super().do_GET()
            return
        content = MEASURE.format(width=PHONE, page=self.path.removeprefix("/measure/")).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def look(url, folder, *more):
    """Return the page as the browser has it, and what it prints."""
    command = [
        *(BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom"),
        *(f"--user-data-dir={folder}", "--enable-logging=stderr", "--virtual-time-budget=6000"),
        *more,
        url,
    ]
    found = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
    errors = re.findall(r"CONSOLE[^\n]*(?:rror|ncaught|Failed)[^\n]*", found.stderr)
    return found.stdout, errors


def test_all_pages_are_there():
    for page in ("index", "from_pca", "when_not", "api", "benchmarks", "how_it_works", "changelog"):
        assert f"{page}.html" in PAGES


@pytest.mark.parametrize("page", LOOKED_AT)
def test_a_page_fits_a_phone_and_prints_no_error(address, tmp_path, page):
    dom, errors = look(f"{address}/measure/{page}", tmp_path)
    width = int(re.search(r'id="told">wide (\d+)', dom)[1])
    assert errors == []
    assert width <= PHONE


@pytest.mark.parametrize("page", LOOKED_AT)
def test_pictures_and_links_inside_are_there(page):
    html = (SITE / page).read_text(encoding="utf-8")
    for link in re.findall(r'(?:src|href)="([^"#?]+)', html):
        if not re.match(r"[a-z]+:|//", link):
            assert ((SITE / page).parent / link).resolve().exists(), link


def test_each_example_has_a_thumbnail():
    html = (SITE / "auto_examples" / "index.html").read_text(encoding="utf-8")
    found = re.findall(r'class="sphx-glr-thumbcontainer".*?src="([^"]+)"', html, re.S)
    examples = list((SITE.parents[2] / "examples").glob("plot_*.py"))
    assert len(found) == len(examples)
    assert not any("no_image" in name for name in found)


def test_the_search_finds(address, tmp_path):
    dom, errors = look(f"{address}/search.html?q=nested", tmp_path)
    assert errors == []
    assert "AutoencoderTransformer" in re.search(r'id="search-results".*', dom, re.S)[0]


def test_the_dark_theme_is_taken_where_it_is_asked_for(address, tmp_path):
    dom, _ = look(f"{address}/measure/index.html", tmp_path, "--force-dark-mode")
    assert "theme dark" in dom
