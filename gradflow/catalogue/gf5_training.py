"""Describe what a training step of the user's own can do wrong with gradients."""

from __future__ import annotations

from gradflow.catalogue.entry import CodeEntry
from gradflow.findings import Severity
from gradflow.flow.graph import Mark

TRAINING = (
    CodeEntry(
        code="GF501",
        kind="not_watched",
        severity=Severity.ERROR,
        title="the tape never saw it",
        message="the tape did not record {op}, so that its result is a constant to it",
        marks=(Mark.UNRECORDED,),
        why=(
            "A GradientTape knows what is computed inside of its with block, from variables that "
            "it watches. What was computed before the block, after it, or under stop_recording() "
            "is a constant to it. The same is true of a tf.Variable(trainable=False), and of a "
            "tape with watch_accessed_variables=False that was not told to watch the variable."
        ),
        fix=(
            "move the computation into the block of the tape, or call tape.watch(variable) before "
            "it is read"
        ),
        right_when=(
            "the part is not meant to be trained by this loss, as the generator in the step of a "
            "discriminator"
        ),
        example=(
            "encoder = keras.layers.Dense(4, name='encoder')\n"
            "head = keras.layers.Dense(1, name='head')\n"
            "optimizer = keras.optimizers.SGD(0.1)\n"
            "\n"
            "def step(x):\n"
            "    code = encoder(x)  # outside of the block\n"
            "    with tf.GradientTape() as tape:\n"
            "        loss = tf.reduce_mean(head(code) ** 2)\n"
            "    weights = encoder.trainable_weights + head.trainable_weights\n"
            "    optimizer.apply(tape.gradient(loss, weights), weights)\n"
            "\n"
            "with gradflow.watch() as watched:\n"
            "    step(tf.ones([2, 3]))\n"
            "print(watched.report)"
        ),
    ),
    CodeEntry(
        code="GF502",
        kind="not_asked",
        severity=Severity.ERROR,
        title="no gradient call named it",
        message="no gradient call of the step names it, so that no optimizer can update it",
        why=(
            "The list of variables that tape.gradient was called with lacks the weight: the list "
            "was made before a layer was built or unfrozen, or names one part of the model only. "
            "The step computes no gradient for it, and it stays as it is."
        ),
        fix="add it to the list of variables that tape.gradient and the optimizer are given",
        right_when=(
            "another step trains it, or it is a copy that is assigned to, as a target network"
        ),
        example=(
            "encoder = keras.layers.Dense(4, name='encoder')\n"
            "head = keras.layers.Dense(1, name='head')\n"
            "optimizer = keras.optimizers.SGD(0.1)\n"
            "\n"
            "def step(x):\n"
            "    with tf.GradientTape() as tape:\n"
            "        loss = tf.reduce_mean(head(encoder(x)) ** 2)\n"
            "    weights = head.trainable_weights  # the encoder is missing\n"
            "    optimizer.apply(tape.gradient(loss, weights), weights)\n"
            "\n"
            "with gradflow.watch() as watched:\n"
            "    step(tf.ones([2, 3]))\n"
            "print(watched.report)"
        ),
    ),
    CodeEntry(
        code="GF503",
        kind="not_applied",
        severity=Severity.ERROR,
        title="a gradient arrived and did not change it",
        message="a gradient arrived, and no optimizer got it",
        why=(
            "The step computes a gradient for the weight and does nothing with it: the list that "
            "the optimizer is given is shorter, or the gradient is only added up in this step. "
            "The same is said where the optimizer was given zeros or None in its place, as from "
            "clipping by a norm of 0, or where it has changed nothing, as with a learning rate of "
            "0."
        ),
        fix="give the optimizer the gradient together with its variable",
        right_when=(
            "gradients are accumulated, and this step is not the one that applies them; or they "
            "are only looked at, as in a gradient penalty"
        ),
        example=(
            "encoder = keras.layers.Dense(4, name='encoder')\n"
            "head = keras.layers.Dense(1, name='head')\n"
            "optimizer = keras.optimizers.SGD(0.1)\n"
            "\n"
            "def step(x):\n"
            "    with tf.GradientTape() as tape:\n"
            "        loss = tf.reduce_mean(head(encoder(x)) ** 2)\n"
            "    weights = encoder.trainable_weights + head.trainable_weights\n"
            "    gradients = tape.gradient(loss, weights)\n"
            "    optimizer.apply(gradients[:2], weights[:2])  # not those of head\n"
            "\n"
            "with gradflow.watch() as watched:\n"
            "    step(tf.ones([2, 3]))\n"
            "print(watched.report)"
        ),
    ),
)
