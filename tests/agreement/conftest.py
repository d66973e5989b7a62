"""The environment that TensorFlow must find when it is first imported."""

from __future__ import annotations

import os

# TensorFlow 2.21 with oneDNN corrupts its heap in conv2d_backprop_filter on some CPUs
# (mini_XCEPTION, batch 2 and 4).
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
