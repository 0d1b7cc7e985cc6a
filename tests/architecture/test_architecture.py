"""The rules of the house that import-linter cannot see (docs/architecture.md)."""

import ast
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "scaicms").rglob("*.py")) + sorted((ROOT / "workers").rglob("*.py"))
FEATURES = sorted(path for path in (ROOT / "scaicms" / "features").iterdir() if (path / "feature.py").exists())
DOORS = {"service", "events", "schemas", "errors", "permissions"}
# What a feature may have beside the files that every feature has, and why.
OWN_FILES = {
    "assets": {"file_repository", "file_routes", "processing", "records", "texts"},
    "api_keys": {"limits", "usage"},
    "auth": {
        "account", "authenticator", "limits", "notices", "oidc", "oidc_provider", "oidc_roles", "oidc_routes", "pages",
        "replies", "reset_routes", "resets", "second_factor", "sessions", "tokens", "totp", "totp_routes",
    },
    "content": {
        "access", "approval", "asset_routes", "bulk", "bulk_routes", "chains", "compacting", "compaction_repository",
        "conflicts", "current", "delivery", "differences", "documents", "drafts", "duplicating", "editing_schemas",
        "explaining", "export_repository", "export_routes", "exported", "exporting", "fallbacks", "filters",
        "hold_repository", "hold_routes", "holds", "import_batches", "import_entries", "import_publication",
        "import_report", "import_routes", "import_sources", "import_terms", "importing", "including", "index_rules",
        "keeping", "lifecycle", "lifecycle_repository", "lifecycle_routes", "link_repository", "links", "listing",
        "locales", "merging", "moving", "ordering", "pages", "past", "paths", "preview_routes", "previews",
        "projecting", "publishing", "publishing_schemas", "query_tree", "reaching", "reading", "records", "referring",
        "referring_repository", "refreshing", "release_repository", "release_routes", "releases", "render", "replies",
        "restore_checks", "restore_repository", "restoring", "revision_repository", "revision_routes",
        "revision_schemas", "revisions", "saving", "schedule_repository", "schedule_routes", "scheduling", "searching",
        "sharing", "targets", "term_content", "term_filters", "term_repository", "term_routes", "texts", "totals",
        "translation_repository", "translation_routes", "translation_schemas", "translations", "usage_routes", "usages",
        "windows", "workflow",
    },
    "content_types": {
        "applying", "bundle_routes", "bundling", "changes", "compile", "data", "definitions", "describing", "fields",
        "indexing", "legal_holds", "levelling", "plan_reports", "plan_routes", "planning", "reach", "remaking",
        "reshaping", "stored", "trying", "values", "walking", "workflows",
    },
    "permissions": {"explaining"},
    "search": {"queue_routes", "queues"},
    "taxonomies": {"link_repository", "links", "names", "records", "term_routes", "tree"},
    "template_packs": {"site", "starter"},
    "users": {"invitation_routes", "invitations"},
    "webhooks": {
        "attempt_repository", "deliveries", "delivery_repository", "delivery_routes", "feed", "feed_repository",
        "feed_routes", "leaving", "line_repository", "replay_repository", "replaying", "requests", "sending", "turns",
        "vault",
    },
}  # fmt: skip
COMMON_FILES = DOORS | {
    "__init__",
    "authority",
    "bundle",
    "retention",
    "feature",
    "routes",
    "repository",
    "models",
    "jobs",
    "tasks",
    "subscribers",
}
# Imported from lower features beside their doors: rows that authentication reads on the way to a principal.
ROWS = {("auth", "scaicms.features.users.models"), ("auth", "scaicms.features.api_keys.models")}
GENERATED = {"scaicms/migrations/0001_initial.py"}


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def relative(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("feature", FEATURES, ids=lambda path: path.name)
def test_features_enter_each_other_by_their_doors(feature):
    for path in feature.rglob("*.py"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("scaicms.features."):
                parts = node.module.split(".")
                other, names = parts[2], parts[3:4] or [alias.name for alias in node.names]
                if other != feature.name and (feature.name, node.module) not in ROWS:
                    assert set(names) <= DOORS, f"{relative(path)} imports {node.module}"


@pytest.mark.parametrize("feature", FEATURES, ids=lambda path: path.name)
def test_feature_folders_are_shaped_alike(feature):
    found = {path.stem for path in feature.iterdir() if path.name != "__pycache__"}
    assert found - COMMON_FILES == OWN_FILES.get(feature.name, set())


def test_imports_stand_at_the_top():
    for path in SOURCES:
        for function in ast.walk(tree(path)):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                inner = [n for n in ast.walk(function) if isinstance(n, ast.Import | ast.ImportFrom)]
                assert not inner, f"{relative(path)}: {function.name} imports inside"


def test_files_and_functions_stay_small():
    for path in SOURCES:
        if relative(path) in GENERATED:
            continue
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, relative(path)
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                assert lines <= 40, f"{relative(path)}: {node.name} has {lines} lines"


def test_every_module_says_what_it_is():
    for path in SOURCES:
        if relative(path) not in GENERATED:
            assert ast.get_docstring(tree(path)), relative(path)


def test_every_ignore_has_its_reason():
    pattern = re.compile(r"# (type: ignore\[[\w, -]+\]|noqa: [A-Z0-9, ]+)(.*)")
    for path in SOURCES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found = pattern.search(line)
            if found:
                assert len(found[2].strip(" -#")) > 10, f"{relative(path)}:{number}"


def test_nothing_tracked_names_a_registry_or_a_home():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    forbidden = re.compile(
        "|".join(["pypi" + r"\.org", "pythonhosted" + r"\.org", "registry" + r"\.npmjs", "/ro" + "ot/"])
    )
    for name in listed.stdout.split():
        path = ROOT / name
        if path.is_file() and path.suffix not in {".js", ".css", ".png"}:
            found = forbidden.search(path.read_text(encoding="utf-8", errors="ignore"))
            assert found is None, f"{name}: {found}"


def test_a_worker_does_not_load_the_web_tier():
    """Neither what the other commands need: it is what keeps a worker small."""
    others = {
        "aiohttp.web",
        "aiohttp_apispec",
        "marshmallow",
        "gunicorn",
        "watchfiles",
        "scaicms.app",
        "scaicms.cli.dev",
    }
    program = f"import sys, scaicms.cli, scaicms.cli.worker; print(sorted({others!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_the_process_that_reads_files_loads_what_decodes_them():
    """A decoder is large, and a file that was made for it may take over whoever runs it."""
    program = (
        "import sys; from scaicms import app, registry, worker; registry.operations(); registry.tasks();"
        "print(sorted({'PIL', 'puremagic', 'blurhash'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_migrations_form_one_chain():
    files = sorted(path for path in (ROOT / "scaicms" / "migrations").glob("0*.py"))
    numbers = [path.stem.partition("_")[0] for path in files]
    assert numbers == [f"{number:04}" for number in range(1, len(files) + 1)]
    for before, path in pairwise(files):
        assert f'"{before.stem}")' in path.read_text(encoding="utf-8"), f"{path.name} must depend on {before.stem}"
