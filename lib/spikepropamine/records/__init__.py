"""Run records: written whole or not at all, found by content, refused when damaged; and the statistics over them."""

from .origin import PACKAGES, provenance
from .runs import (
    RECORD_FIELDS,
    SCHEMA,
    Published,
    Run,
    config_hash,
    load_checkpoint,
    load_measurements,
    load_published,
    load_run,
    publish,
    row,
    run_keys,
    save_checkpoint,
    save_measurements,
    save_run,
)

__all__ = [
    "PACKAGES",
    "RECORD_FIELDS",
    "SCHEMA",
    "Published",
    "Run",
    "config_hash",
    "load_checkpoint",
    "load_measurements",
    "load_published",
    "load_run",
    "provenance",
    "publish",
    "row",
    "run_keys",
    "save_checkpoint",
    "save_measurements",
    "save_run",
]
