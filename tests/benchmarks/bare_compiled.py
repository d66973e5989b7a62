"""Take one tape step of the loss of a compiled model, as one would write it without gradflow.

With ``gradflow`` as an argument, the same model is given to ``gradflow.inspect``.
"""

import sys

import keras
import tensorflow as tf

model = keras.applications.ResNet50(weights=None)
model.compile("sgd", "categorical_crossentropy")
if sys.argv[1:] == ["gradflow"]:
    import gradflow

    print(gradflow.inspect(model))
else:
    x = tf.random.normal([4, 224, 224, 3], seed=0)
    y = tf.one_hot([1, 2, 3, 4], 1000)
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=True))
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    names = [variable.path for variable in variables]
    missing = [name for name, gradient in zip(names, gradients, strict=True) if gradient is None]
    print(f"{len(missing)} of {len(names)} without a gradient:", *missing)
