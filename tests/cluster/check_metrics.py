"""Holds a page of metrics against Prometheus's text format 0.0.4 and the rules of promtool's linter."""
import re
import shutil
import subprocess

NAME = re.compile(r"[a-z][a-z0-9_]*$")
SAMPLE = re.compile(r"([a-z][a-z0-9_]*)(?:\{(.*)\})? (-?[0-9]+(?:\.[0-9]+)?|\+Inf|NaN)$")
LABEL = re.compile(r'([a-z][a-z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
BAD_UNITS = ("milliseconds", "ms", "microseconds", "us", "minutes", "hours", "kilobytes", "kb",
             "megabytes", "mb", "gigabytes", "gb", "bits", "percent")


def parse_labels(text):
    labels, at = {}, 0
    while at < len(text or ""):
        found = LABEL.match(text, at)
        assert found, f"label at {text[at:]!r}"
        assert found[1] not in labels, f"label {found[1]} twice"
        labels[found[1]] = found[2]
        at = found.end()
    return labels


def family_of(name, families):
    for suffix in ("_bucket", "_sum", "_count"):
        base = name[:-len(suffix)] if name.endswith(suffix) else None
        if base in families and families[base]["type"] == "histogram":
            return base, suffix
    assert name in families, f"{name} has no TYPE line before it"
    return name, ""


def check_name(name, kind):
    assert NAME.match(name), name
    parts = name.split("_")
    assert not set(parts) & set(BAD_UNITS), f"{name}: not a base unit"
    assert kind not in parts, f"{name} names its type"
    assert (kind == "counter") == name.endswith("_total"), f"{name}: {kind}"
    if kind != "histogram":
        assert not name.endswith(("_count", "_sum", "_bucket")), f"{name} looks like a histogram's"


def check_histogram(name, samples):
    series = {}
    for suffix, labels, value in samples:
        key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        series.setdefault(key, {"_bucket": [], "_sum": None, "_count": None})
        if suffix == "_bucket":
            series[key]["_bucket"].append((float(labels["le"]), value))
        else:
            assert suffix and series[key][suffix] is None, f"{name}{suffix} {labels}"
            series[key][suffix] = value
    for key, one in series.items():
        bounds = [b for b, _ in one["_bucket"]]
        counts = [c for _, c in one["_bucket"]]
        assert bounds == sorted(set(bounds)) and bounds[-1] == float("inf"), (name, key, bounds)
        assert counts == sorted(counts) and counts[-1] == one["_count"], (name, key, counts)
        assert one["_sum"] is not None and one["_sum"] >= 0, (name, key)


def check_page(text):
    """Checks the whole page; returns {"name{labels}": value}."""
    assert text.endswith("\n") and "\r" not in text
    families, values, current = {}, {}, None
    for line in text[:-1].split("\n"):
        if line.startswith("# "):
            _, what, name, rest = line.split(" ", 3)
            if what == "HELP":
                assert name not in families, f"{name} begins twice"
                families[name] = {"help": rest, "type": None, "samples": []}
                assert rest.strip(), f"{name} has no help"
                current = name
            else:
                assert what == "TYPE" and name == current and families[name]["type"] is None, line
                assert rest in ("gauge", "counter", "histogram"), line
                families[name]["type"] = rest
                check_name(name, rest)
            continue
        found = SAMPLE.match(line)
        assert found, f"not a sample: {line!r}"
        name, suffix = family_of(found[1], families)
        assert name == current, f"{line!r} is outside of its family"
        labels = parse_labels(found[2])
        value = float(found[3])
        assert "le" not in labels or suffix == "_bucket", line
        assert families[name]["type"] != "counter" or value >= 0, line
        key = line.rsplit(" ", 1)[0]
        assert key not in values, f"{key} twice"
        values[key] = value
        families[name]["samples"].append((suffix, labels, value))
    for name, family in families.items():
        assert family["type"], f"{name} has no type"
        if family["type"] == "histogram":
            check_histogram(name, family["samples"])
    if shutil.which("promtool"):
        result = subprocess.run(["promtool", "check", "metrics"], input=text.encode(),
                                capture_output=True)
        assert result.returncode == 0, (result.stdout, result.stderr)
    return values
