"""Describe what freeze flags and untracked weights can do to training."""

from __future__ import annotations

from gradflow.catalogue.entry import CodeEntry
from gradflow.findings import Severity

UNTRAINABLE = "not among the file's trainable variables"
"""Of a weight that is frozen by no layer of the file."""
FLAGS = (
    CodeEntry(
        code="GF101",
        kind="frozen",
        severity=Severity.NOTE,
        title="weight under trainable=False",
        message="frozen by {layer}.trainable=False",
        why=(
            "A layer above the weight has trainable=False, or the file's list of trainable "
            "variables leaves the weight out. Training will not update it, although a gradient "
            "may well reach it."
        ),
        fix=(
            "set layer.trainable = True on the layer that is named, before compile(), and save "
            "again"
        ),
        right_when=(
            "the weight belongs to a pretrained part that is meant to stay as it is; write it "
            "into expect.frozen"
        ),
        example=(
            "inputs = keras.Input([4])\n"
            "backbone = keras.layers.Dense(8, trainable=False)\n"
            "model = keras.Model(inputs, keras.layers.Dense(1)(backbone(inputs)))"
        ),
    ),
    CodeEntry(
        code="GF102",
        kind="freeze_not_recorded",
        severity=Severity.WARNING,
        title="the file cannot say what was frozen, or says two different things",
        why=(
            "tf.saved_model.save of a Keras 3 model drops the freeze flags. model.export() lists "
            "what is frozen, but the variables' own records say trainable=True, and TFSMLayer "
            "goes by those. Keras forgets the flag of a layer that makes its inner layers in code"
            " (MultiHeadAttention), and a layer can train inside a frozen one."
        ),
        fix=(
            "fine-tune from a file of model.save('model.keras'), or set trainable = False again "
            "after loading and look at model.trainable_variables"
        ),
        right_when=(
            "nothing was frozen, the file is for inference only, or the inner layer is meant to "
            "train"
        ),
        example=(
            "backbone = keras.layers.Dense(8, trainable=False)\n"
            "head = keras.layers.Dense(1)\n"
            "model = keras.Sequential([keras.Input([4]), backbone, head])\n"
            'tf.saved_model.save(model, "saved")  # the flag of backbone is lost here'
        ),
    ),
    CodeEntry(
        code="GF103",
        kind="untracked",
        severity=Severity.ERROR,
        title="weight that no layer tracks",
        message=(
            "{who} {are} used by the graph, but tracked by no layer of the model: no optimizer "
            "will ever see {them}"
        ),
        why=(
            "The graph computes with this variable, which calls itself trainable, but no layer "
            "tracks it: a raw tf.Variable as an attribute of a Keras 3 layer, or a variable or "
            "layer that a Lambda or a closure captured. It is missing from trainable_variables, "
            "so an optimizer never updates it, gradient or not."
        ),
        fix=(
            "create it with self.add_weight() in the layer that uses it; a layer must be an "
            "attribute of the model or of another layer"
        ),
        right_when=(
            "the variable is updated by hand, for example a moving average; then say so: "
            "tf.Variable(..., trainable=False)"
        ),
        example=(
            "scale = tf.Variable(1.0)\n"
            "layer = keras.layers.Lambda(lambda x: x * scale)\n"
            "model = keras.Sequential([keras.Input([4]), layer])"
        ),
    ),
)
