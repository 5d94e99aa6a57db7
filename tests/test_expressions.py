"""Every regular expression of the product is linear, whatever a stranger writes.

The expressions are found by program: those that a module, or something it holds, has compiled, and those that stand in
a call of `re`. Each is timed on repeated characters, and on repetitions of its own literals, as they grow.
"""

import ast
import dataclasses
import importlib
import pkgutil
import re
import time
from pathlib import Path

import pytest

from ingest.mail import reader

ROOT = Path(__file__).parent.parent
PACKAGES = ("vigie", "ingest", "analysis", "api", "dashboards")
SIZES = (2_000, 16_000, 100_000)
QUICK_SECONDS = 0.002  # at 16,000 characters: what is as quick is not tried on more
NOISE_SECONDS = 0.05  # below, growth is not judged
TOO_LONG_SECONDS = 2.0
MAX_GROWTH = 3.0  # times what linear growth would give; quadratic growth gives 8
UNITS = (
    " ", "\u00a0", "\u200b", "\t", "\n", "\r\n", " \n", "\u2028", "a", "A", "é", "1", ".", ",", "-", "_", "@", "<", ">", "/", ":", ";", "=",
    "«", "»", '"', "'", "(", "[", "{", "&", "#", "?", "!", "*", "\\", "|", "+", "★", "a ", "a.", "a@", "1 ", "1,", "1/", "a-", "> ", ">\n", "<a ",
    "« ", "de: a", "A ", "a' ", "a\n", "aA", "a1", "...",
)  # fmt: skip
# Expressions that never read what a stranger wrote, by their module, with the reason.
OWN_TEXT = {
    "analysis.learned.teach": "reads the labelled texts of training",
    "analysis.learned.labelled": "reads the labelled texts of training",
    "vigie.cli.hosting": "reads what the operator typed",
    "vigie.cli.stores": "reads the operator's settings",
    "vigie.settings": "reads the operator's settings",
}
# Expressions whose text is cut before, by their module: to how many characters.
BOUNDED_CHARS = {
    "ingest.mail.reader": 1_000,  # a line of a letter (MAX_LINE_CHARS)
    "layout": 500,  # a mail's subject
}
BOUNDED_SECONDS = 0.05


def compiled(value, depth=0):
    """Return the patterns that a value holds."""
    if isinstance(value, re.Pattern):
        yield value
    elif depth > 3 or isinstance(value, (str, bytes, type)):
        return
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from compiled(getattr(value, field.name, None), depth + 1)
    elif isinstance(value, dict):
        for part in value.values():
            yield from compiled(part, depth + 1)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for part in value:
            yield from compiled(part, depth + 1)


def modules():
    for package in PACKAGES:
        yield package
        folder = ROOT / package
        for module in pkgutil.walk_packages([str(folder)], f"{package}."):
            if ".migrations" not in module.name and not module.name.endswith("__main__"):
                yield module.name


def inline(path):
    """Return the constant patterns of calls such as `re.sub(r"…", …)`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
            continue
        owner, first = node.func.value, node.args[0]
        is_call_of_re = isinstance(owner, ast.Name) and owner.id == "re" and node.func.attr != "escape"
        if is_call_of_re and isinstance(first, ast.Constant) and isinstance(first.value, (str, bytes)):
            yield re.compile(first.value)


def every_expression():
    found = {}
    for name in modules():
        if name in OWN_TEXT:
            continue
        try:
            module = importlib.import_module(name)
        except ImportError:  # an optional dependency of training
            continue
        patterns = [pattern for value in vars(module).values() for pattern in compiled(value)]
        patterns += inline(Path(module.__file__))
        for pattern in patterns:
            found.setdefault((pattern.pattern, pattern.flags), (name, pattern))
    for layout in reader.layouts():
        for pattern in compiled(layout):
            found.setdefault((pattern.pattern, pattern.flags), (f"layout {layout.platform}", pattern))
    return list(found.values())


def literals(pattern):
    """Return the literal runs of a pattern, which lead an attack to its inner parts."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    return sorted(set(re.findall(r"[\w@:/.«»<>=\"-]{1,12}", text)), key=len)[-8:]


def attacks(pattern):
    runs = literals(pattern)
    yield from ((unit, "") for unit in UNITS)
    for run in runs:
        yield run, ""
        yield run + " ", ""
        for unit in (" ", "a", "1", "\u00a0", "."):
            yield unit, run + " "
            yield unit, run


def make_text(pattern, unit, prefix, size):
    text = prefix + (unit * (size // len(unit) + 1))[:size] + "\0"
    return text if isinstance(pattern.pattern, str) else text.encode("utf-8", "replace")


def measure(pattern, text):
    """Return the seconds of this thread's CPU that the slower of `sub` (which searches) and `fullmatch` takes."""
    began = time.thread_time()
    pattern.sub(text[:0], text)
    searched = time.thread_time()
    pattern.fullmatch(text)
    return max(searched - began, time.thread_time() - searched)


def find_attack(pattern, sizes=SIZES, too_long=TOO_LONG_SECONDS):
    """Return an attack whose time grows faster than its length, or is too long; None when there is none."""
    for unit, prefix in attacks(pattern):
        before = None
        for size in sizes:
            text = make_text(pattern, unit, prefix, size)
            seconds = measure(pattern, text)
            if seconds > NOISE_SECONDS:  # a busy machine may disturb one measurement, not each
                seconds = min(seconds, measure(pattern, text), measure(pattern, text))
            if seconds > too_long:
                return unit, prefix, size, seconds
            if before is not None and seconds > NOISE_SECONDS:
                linear = max(before[1], 0.0005) * size / before[0]
                if seconds > MAX_GROWTH * linear:
                    return unit, prefix, size, seconds
            if size >= 16_000 and seconds < QUICK_SECONDS:
                break
            before = size, seconds
    return None


def bound_of(name):
    return next((chars for module, chars in BOUNDED_CHARS.items() if name.startswith(module)), None)


EXPRESSIONS = every_expression()


def test_the_expressions_are_found():
    assert len(EXPRESSIONS) > 80


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "pattern"), EXPRESSIONS, ids=[f"{name}:{number}" for number, (name, _) in enumerate(EXPRESSIONS)]
)
def test_an_expression_is_linear(name, pattern):
    if chars := bound_of(name):
        attack = find_attack(pattern, sizes=(chars,), too_long=BOUNDED_SECONDS)
    else:
        attack = find_attack(pattern)
    assert attack is None, f"{name}: {pattern.pattern!r} on {attack}"


@pytest.mark.parametrize("expression", [r"\s*x\s*$", r"[\w.]+@", r"«\s*(.+?)\s*»"])
def test_an_expression_that_is_not_linear_is_recognised(expression):
    assert find_attack(re.compile(expression), sizes=(500, 2_000, 8_000))
