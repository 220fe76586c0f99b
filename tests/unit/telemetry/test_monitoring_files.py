"""Alert rules and dashboard: valid, and made of nothing but the names and labels that the code exposes."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import promql_parser as promql
import pytest
import yaml

from deploy.supervisor import PROJECT
from orchestration.telemetry.gauge_definitions import GAUGES
from orchestration.telemetry.metric_definitions import COUNTED, Histogram

MONITORING = PROJECT / "deploy" / "monitoring"
GROUPS: list[dict[str, Any]] = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
RULES = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
DASHBOARD: dict[str, Any] = json.loads((MONITORING / "grafana-dashboard.json").read_text())
PANELS = {panel["title"]: panel for panel in DASHBOARD["panels"]}
DURATION = re.compile(r"\d+(ms|s|m|h|d|w|y)")
LABEL_IN_TEXT = re.compile(r"\$labels\.(\w+)")


def series() -> Mapping[str, set[str]]:
    """Every time series that there can be, with its labels."""
    found: dict[str, set[str]] = {}
    for name, metric in {**COUNTED, **GAUGES}.items():
        labels = set(metric.labels)
        if isinstance(metric, Histogram):
            found |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            found[name] = labels
    return found


SERIES = series()


@dataclass(frozen=True)
class Read:
    """What a query is about: its result's labels, and complaints."""

    labels: frozenset[str]
    complaints: tuple[str, ...] = ()


def read(node: Any) -> Read:
    """Follow the labels through a query, as Prometheus does."""
    match node:
        case promql.VectorSelector():
            known = SERIES.get(node.name or "")
            if known is None:
                return Read(frozenset(), (f"there is no {node.name}",))
            unknown = {matcher.name for matcher in node.matchers.matchers} - known
            return Read(frozenset(known), tuple(f"{node.name} has no label {label}" for label in unknown))
        case promql.MatrixSelector():
            return read(node.vector_selector)
        case promql.AggregateExpr():
            return aggregated(node)
        case promql.BinaryExpr():
            left, right = read(node.lhs), read(node.rhs)
            return Read(left.labels or right.labels, left.complaints + right.complaints)
        case promql.Call():
            parts = [read(each) for each in node.args]
            labels = frozenset[str]().union(*(part.labels for part in parts))
            used = {"le"} if node.func.name == "histogram_quantile" else set()
            return Read(labels - used, tuple(each for part in parts for each in part.complaints))
        case promql.ParenExpr() | promql.UnaryExpr():
            return read(node.expr)
        case promql.NumberLiteral() | promql.StringLiteral():
            return Read(frozenset())
    raise AssertionError(f"nobody has taught this test what {type(node).__name__} is")


def aggregated(node: promql.AggregateExpr) -> Read:
    inner = read(node.expr)
    kept = frozenset(node.modifier.labels) if node.modifier else frozenset()
    unknown = tuple(f"there is no label {label} to keep" for label in kept - inner.labels)
    return Read(kept, inner.complaints + unknown)


def queries() -> Iterator[tuple[str, str]]:
    yield from ((name, rule["expr"]) for name, rule in RULES.items())
    for title, panel in PANELS.items():
        yield from ((f"{title} {target['refId']}", target["expr"]) for target in panel["targets"])


QUERIES = dict(queries())


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_queries_are_made_of_what_is_exposed(query: str) -> None:
    assert read(promql.parse(query)).complaints == ()


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("sum(saga_unfinishd)", "there is no saga_unfinishd"),
        ("saga_step_seconds > 1", "there is no saga_step_seconds"),
        ('saga_parked{step="x"}', "saga_parked has no label step"),
        ("sum by (queue) (rate(saga_started_total[5m]))", "there is no label queue to keep"),
    ],
)
def test_what_is_not_exposed_would_be_noticed(query: str, complaint: str) -> None:
    assert read(promql.parse(query)).complaints == (complaint,)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_has_the_form_of_one(rule: dict[str, Any]) -> None:
    assert rule.keys() - {"for"} == {"alert", "expr", "labels", "annotations"}
    assert re.fullmatch(r"[A-Z][A-Za-z]+", rule["alert"])
    assert DURATION.fullmatch(rule.get("for", "0s"))
    assert rule["labels"] in ({"severity": "page"}, {"severity": "warn"})
    assert rule["annotations"].keys() == {"summary", "description"}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_speaks_of_labels_that_its_alert_has(rule: dict[str, Any]) -> None:
    named = {label for text in rule["annotations"].values() for label in LABEL_IN_TEXT.findall(text)}
    assert named <= read(promql.parse(rule["expr"])).labels


def test_groups_and_rules_have_names_of_their_own() -> None:
    assert len({group["name"] for group in GROUPS}) == len(GROUPS)
    assert len(RULES) == sum(len(group["rules"]) for group in GROUPS)
    assert all(group.keys() == {"name", "rules"} for group in GROUPS)


def test_everything_that_is_measured_is_on_the_dashboard() -> None:
    shown = " ".join(target["expr"] for panel in PANELS.values() for target in panel["targets"])
    assert [name for name in [*COUNTED, *GAUGES] if name not in shown] == []


def test_a_legend_names_labels_that_its_query_has() -> None:
    for title, panel in PANELS.items():
        for target in panel["targets"]:
            named = set(re.findall(r"{{\s*(\w+)\s*}}", target["legendFormat"]))
            assert named <= read(promql.parse(target["expr"])).labels, title


def test_the_dashboard_has_the_form_of_one() -> None:
    assert DASHBOARD["title"]
    assert DASHBOARD["schemaVersion"] >= 39
    assert len(PANELS) == len(DASHBOARD["panels"])
    places = [panel["gridPos"] for panel in PANELS.values()]
    assert all(at["x"] + at["w"] <= 24 for at in places)
    taken = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(taken) == len(set(taken)), "panels lie on each other"
    sources = {json.dumps(panel["datasource"]) for panel in PANELS.values()}
    assert sources == {json.dumps({"type": "prometheus", "uid": "${datasource}"})}


def test_the_example_of_a_scrape_names_files_that_are_there() -> None:
    example = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    assert all((MONITORING / name).is_file() for name in example["rule_files"])
    [job] = example["scrape_configs"]
    assert job["metrics_path"] == "/metrics"
