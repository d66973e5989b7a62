"""What one would write without gradflow for a small ``.keras`` file: load it, one tape step, print
the variables without a gradient."""

import sys

import keras
import tensorflow as tf

model = keras.models.load_model(sys.argv[1], compile=False)
inputs = [tf.random.normal([4, *each.shape[1:]], seed=0) for each in model.inputs]
variables = model.trainable_variables
with tf.GradientTape() as tape:
    y = model(inputs if inputs[1:] else inputs[0], training=True)
    loss = tf.reduce_sum(y * tf.random.normal(y.shape, seed=1))
gradients = tape.gradient(loss, [variable.value for variable in variables])
missing = [each.path for each, slope in zip(variables, gradients, strict=True) if slope is None]
print(f"{len(missing)} of {len(variables)} without a gradient:", *missing)
