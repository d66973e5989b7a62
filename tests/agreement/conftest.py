"""Marks of this folder; slow tests run only where they are asked for: ``pytest -m slow``."""

from __future__ import annotations

import os

import pytest

# TensorFlow 2.21 with oneDNN corrupts its heap in conv2d_backprop_filter on some CPUs (mini_XCEPTION, batch 2 and 4).
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "tensorflow: imports TensorFlow (seconds to start)")
    config.addinivalue_line("markers", "slow: takes minutes; runs with -m slow only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "slow" in config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: run with -m slow"))
