"""The configuration: ``homeserver.yaml``, read into the frozen dataclasses that features declare.

``option`` and ``required`` declare a key, ``load`` reads files, ``render`` writes the commented file. Sections that
every server has are in ``server`` and ``rate_limits``; all others stand in the ``config.py`` of their feature.
"""

from synapse_like.toolkit.config.document import render
from synapse_like.toolkit.config.loading import Config, load
from synapse_like.toolkit.config.options import option, required
from synapse_like.toolkit.config.problems import ConfigErrors, Remark, Weight
from synapse_like.toolkit.config.values import Duration, FilePath, Secret, Size

__all__ = [
    "Config",
    "ConfigErrors",
    "Duration",
    "FilePath",
    "Remark",
    "Secret",
    "Size",
    "Weight",
    "load",
    "option",
    "render",
    "required",
]
