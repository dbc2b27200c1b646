"""JSON schema of sweep files, so that editors complete and check them.

Made from the same models that check a file: nothing is written down twice. What concerns several
settings at once (top_k <= num_experts) no schema can say; the command does.
"""

import copy
import json
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import TypeAdapter

from motsim.experiments import kinds, load_kind
from motsim.experiments.protocol import Kind
from motsim.plans.claim_table import ClaimTable
from motsim.plans.file import SweepFile, Tier, TierTable

__all__ = ["sweep_schema"]

DIALECT = "http://json-schema.org/draft-07/schema#"  # the newest that TOML editors read
ABOUT = {
    "title": "One line for lists and figures.",
    "kind": "What a run is: the settings that can be given below follow from it.",
    "seeds": "Runs of each setting: seeds seed_start, seed_start + 1, ...",
    "seed_start": "The first seed.",
    "fixed": "Settings shared by every run.",
    "grid": "Axes: every combination of these values is run.",
    "case": "Named variants: settings of their own, a grid and seeds of their own.",
    "tier": "What differs in the tiers quick and full.",
    "claim": "What the runs are claimed to do; sweep and verify judge it.",
}


def sweep_schema(others: Mapping[str, Kind] | None = None) -> str:
    """Return the schema as JSON text; `others` are kinds of users, as their files call them."""
    file, tier = _properties(SweepFile), _properties(TierTable)
    claim = TypeAdapter(ClaimTable).json_schema(ref_template="#/definitions/{model}")
    definitions: dict[str, Any] = claim.pop("$defs")
    variants = []
    for kind, known in ({kind: load_kind(kind) for kind in kinds()} | dict(others or {})).items():
        settings = _settings(known)
        values = f"{kind}_settings"
        definitions[values] = _table(settings)
        definitions[f"{kind}_grid"] = _table(
            {name: {"type": "array", "items": one, "minItems": 1} for name, one in settings.items()}
        )
        grid = {"$ref": f"#/definitions/{kind}_grid"}
        seeds = {**file["seeds"], "description": ABOUT["seeds"]}
        definitions[f"{kind}_case"] = _table({**settings, "grid": grid, "seeds": seeds})
        tables: dict[str, Any] = {
            "fixed": {"$ref": f"#/definitions/{values}"},
            "grid": grid,
            "case": {
                "type": "object",
                "additionalProperties": {"$ref": f"#/definitions/{kind}_case"},
            },
        }
        tables = {name: {**table, "description": ABOUT[name]} for name, table in tables.items()}
        tiers = {**tier, **tables}
        definitions[f"{kind}_tier"] = _table(tiers)
        own: dict[str, Any] = {
            **{
                name: {**file[name], "description": ABOUT[name]}
                for name in ("title", "seeds", "seed_start")
            },
            "kind": {"const": kind, "description": ABOUT["kind"]},
            **tables,
            "claim": {**claim, "description": ABOUT["claim"]},
            "tier": _table(
                {name: {"$ref": f"#/definitions/{kind}_tier"} for name in get_args(Tier)},
                description=ABOUT["tier"],
            ),
        }
        default = SweepFile.model_fields["kind"].default
        required = ["title"] if kind == default else ["title", "kind"]
        variants.append({**_table(own), "title": f"sweep of kind {kind}", "required": required})
    schema = {
        "$schema": DIALECT,
        "title": "motsim sweep",
        "type": "object",
        "oneOf": variants,
        "definitions": definitions,
    }
    return json.dumps(schema, indent=1)


def _table(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def _properties(model: Any) -> dict[str, Any]:
    found: dict[str, Any] = TypeAdapter(model).json_schema()["properties"]
    return found


def _settings(kind: Kind) -> dict[str, Any]:
    """Schema of each setting of a kind; none is required, and the seed is not a setting."""
    found = copy.deepcopy(_properties(kind.Settings))
    found.pop("seed")
    return found
