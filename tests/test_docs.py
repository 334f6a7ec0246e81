"""The documents lead somewhere and say what the code says."""

import contextlib
import functools
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from directory.__main__ import main
from directory.cli.overview import GROUPS
from scripts import conformance, requirements

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("charts/**/*.md")]
)


def test_generated_pages_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, "scripts/docs.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_named_in_code_marks_exist(page: Path) -> None:
    for named in re.findall(
        r"`((?:tests|docs|scripts|services|shared|charts|benchmarks)/[\w./-]+\.\w+)`", page.read_text(encoding="utf-8")
    ):
        assert (ROOT / named).exists(), named


def test_each_promise_about_people_and_companies_is_shown_by_a_test() -> None:
    """A test names the promise in its docstring."""
    promised = {f"S{number}" for number in (*range(31, 60), *range(65, 73))}
    assert promised - requirements.tests_by_requirement().keys() == set()


def test_each_entry_of_microsofts_lists_is_shown_by_a_test_or_says_why_not() -> None:
    named = {entry for listed in conformance.entries().values() for entry in listed}
    shown, elsewhere = conformance.tests_by_entry().keys(), conformance.elsewhere().keys()
    assert named - shown - elsewhere == set()
    assert shown - named == set()
    assert elsewhere & shown == set(), "it is shown now"


def test_no_lock_or_script_holds_an_address() -> None:
    """Where packages come from is the machine's business."""
    locks = [*ROOT.glob("*.lock"), *ROOT.glob("services/*.lock"), *ROOT.glob("services/*/*.lock")]
    assert len(locks) >= 5
    for path in [*locks, ROOT / "Makefile", *ROOT.glob("scripts/*.*"), *ROOT.glob("services/*/Dockerfile")]:
        assert "://" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_into_a_page_meet_a_heading(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", page.read_text(encoding="utf-8")):
        headings = re.findall(r"^#+ (.+)$", (page.parent / target if target else page).read_text("utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}, anchor


@functools.cache
def help_of(subcommand: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as told, contextlib.suppress(SystemExit):
        main(["company", subcommand, "--help"])
    return told.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_that_is_shown_exists_with_its_options(page: Path) -> None:
    known = {name for names in GROUPS.values() for name in names}
    for subcommand, rest in re.findall(
        r"directory company ([a-z][a-z-]*)([^`\n]*)", page.read_text(encoding="utf-8").replace("\\|", "|")
    ):
        assert subcommand in known, subcommand
        for option in re.findall(r"(?<= )--[a-z-]+", rest.partition("#")[0]):
            assert option in help_of(subcommand), f"{subcommand} {option}"
