"""Report doubtful freeze flags, and weights that no layer tracks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gradflow.catalogue import entry
from gradflow.diagnose.evidence import Evidence
from gradflow.files.freezing import LATE, Doubt, FreezeDoubt
from gradflow.files.saved_model.constants import Constants
from gradflow.findings import Finding, Role, Severity
from gradflow.text import first_few

_WHICH = (
    "set layer.trainable after loading and save again: the file does not say which of the two "
    "is meant"
)
_DOUBTS = {
    Doubt.NOT_RECORDED: (
        Severity.NOTE,
        "the file records no freeze flags, so that every weight is shown as trainable",
        "save the Keras model with model.save('model.keras'), which keeps the flags, or with "
        "model.export(), which keeps lists of the trainable and the other variables",
    ),
    Doubt.RECORD_DIFFERS: (
        Severity.WARNING,
        "{who} {are} frozen by the file's lists, but {their} own {record} trainable=True: "
        "TFSMLayer will unfreeze {them}",
        "fine-tune from a file of model.save('model.keras'), which keeps the flags; or freeze"
        " again after loading: variable.trainable = False",
    ),
    Doubt.LAYER_KNOWS: (
        Severity.NOTE,
        "{who} {are} frozen by the layers in the file, but {their} own {record} "
        "trainable=True: Keras 2 loads {them} frozen, TFSMLayer does not",
        "load it with tf_keras, or freeze again after loading with TFSMLayer: "
        "variable.trainable = False",
    ),
    Doubt.LAYER_FROZEN: (
        Severity.WARNING,
        "{who} {are} in the file's list of trainable variables, but {their} layer is recorded"
        " as frozen",
        _WHICH,
    ),
    Doubt.LAYER_TRAINABLE: (
        Severity.WARNING,
        "{who} {are} left out of the file's list of trainable variables, but {their} layer is"
        " recorded as trainable",
        _WHICH,
    ),
    Doubt.FORGOTTEN: (
        Severity.WARNING,
        "{who} {are} in a layer recorded as frozen, but Keras loads {them} as trainable",
        "freeze the layer again after loading, before compile(): layer.trainable = False",
    ),
    Doubt.KERAS_3_TRAINS: (
        Severity.NOTE,
        "{who} {are} frozen by a layer around {them}, as Keras 2 loads the file; where Keras 3 can"
        " load it, {they} {are} trainable there",
        "load it with tf_keras; or freeze the layer again after loading with Keras 3: "
        "layer.trainable = False",
    ),
    Doubt.FROZEN_OR_STATE: (
        Severity.NOTE,
        "{who} {are} not trainable by {their} own {record_alone}, as state is: shown as frozen,"
        " since {they} {are} named or used as weights are",
        "nothing, if it is frozen on purpose; of a Keras model, model.save('model.keras') keeps the"
        " flags of layers",
    ),
    Doubt.FOREIGN_CLASS: (
        Severity.NOTE,
        "{who} {are} of a class that is not Keras's own, which decides what is frozen: shown as"
        " trainable, since the file does not say",
        "load it with TensorFlow: --import MODULE, the module that defines the class",
    ),
    Doubt.FROZEN_LATE: (
        Severity.WARNING,
        "{who} {are} frozen, and the saved optimizer has trained {them}: frozen after compile(),"
        " which training did not follow",
        "compile the model again after the flags are set; the values that were saved are trained"
        " ones",
    ),
    Doubt.UNFROZEN_LATE: (
        Severity.WARNING,
        "{who} {are} trainable, and the saved optimizer has only trained others: unfrozen after"
        " compile(), which training did not follow",
        "compile the model again after the flags are set, and train again",
    ),
    Doubt.STILL_TRAINED: (
        Severity.ERROR,
        "{who} {are} frozen, and the step trains {them} all the same",
        "compile the model again after trainable is set, or call tf.function anew: what was traced"
        " before does not follow; an optimizer that is given a list trains what is in it",
    ),
    Doubt.RELOADED: (
        Severity.WARNING,
        "{who} {are} frozen by the lists of the SavedModel that TFSMLayer '{layer}' loaded, "
        "but trainable here",
        "freeze again: variable.trainable = False, or layer.trainable = False for the whole layer",
    ),
    Doubt.FROZEN_PARENT: (
        Severity.NOTE,
        "{inside}: trainable under a frozen parent '{layer}'",
        "do nothing if it is meant; else set trainable on the parent last: it changes all "
        "layers inside",
    ),
}


def flag_findings(evidence: Evidence) -> Iterator[Finding]:
    """Report weights that no layer tracks (GF103), and each doubt about freeze flags (GF102)."""
    untracked = tuple(stored.name for stored in evidence.variables if stored.untracked)
    if untracked:
        # As bad as a cut: a weight that calls itself trainable stays at its initial value, and
        # nothing else says so.
        item = entry("GF103")
        yield item.finding(_filled_in(item.message, untracked), untracked, item.cause())
    weights = {stored.name for stored in evidence.variables if stored.role is Role.WEIGHT}
    if not weights and evidence.constants is not None and evidence.constants.count:
        item = entry("GF101")
        yield item.finding(_frozen_graph(evidence.constants), (), item.cause())
    for doubt in evidence.doubts:
        names = tuple(name for name in doubt.variables if name in weights)
        if names or not doubt.variables:
            item = entry("GF102")
            severity, message, hint = _DOUBTS[doubt.kind]
            finding = item.finding(
                _filled_in(message, names, doubt),
                names,
                item.cause(layer=doubt.layer),
                severity=severity,
                hint=hint,
            )
            yield replace(finding, is_of_the_past=doubt.kind in LATE)


def _frozen_graph(constants: Constants) -> str:
    holders = (
        f"{constants.count:,} {'constant holds' if constants.count == 1 else 'constants hold'} "
        f"{constants.parameters:,} parameters"
    )
    return f"{holders}, as a frozen graph has them: nothing can be trained"


def _filled_in(message: str, names: Sequence[str], doubt: FreezeDoubt | None = None) -> str:
    is_one = len(names) == 1
    return message.format(
        who=names[0] if is_one else f"{len(names):,} weights",
        are="is" if is_one else "are",
        them="it" if is_one else "them",
        they="it" if is_one else "they",
        their="its" if is_one else "their",
        record="record says" if is_one else "records say",
        record_alone="record" if is_one else "records",
        layer=doubt.layer if doubt else None,
        inside=first_few(doubt.inside) if doubt else None,
    )
