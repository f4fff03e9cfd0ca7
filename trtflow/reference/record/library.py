"""The plugins that come with TensorRT, as far as the reference runtime has them."""

from __future__ import annotations

from trtflow.reference.record import common_plugins, nms_plugins, rpn_plugins, ssd_plugins


def register() -> None:
    """Add the creators to the registry; harmless when they are there."""
    for module in (rpn_plugins, ssd_plugins, nms_plugins, common_plugins):
        module.register()
