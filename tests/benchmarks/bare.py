"""What one would write without gradflow: load a model, one tape step, print the variables without a
gradient."""

import sys

import tensorflow as tf

path = sys.argv[1]
x = tf.random.normal([4, 224, 224, 3], seed=0)
if path.endswith(".keras"):
    import keras

    model = keras.models.load_model(path, compile=False)
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        y = model(x, training=True)
        loss = tf.reduce_sum(y * tf.random.normal(y.shape, seed=1))
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    names = [variable.path for variable in variables]
else:
    loaded = tf.saved_model.load(path)
    call = loaded.signatures["serving_default"]
    [name] = call.structured_input_signature[1]
    variables = call.trainable_variables
    with tf.GradientTape() as tape:
        [y] = call(**{name: x}).values()
        loss = tf.reduce_sum(y * tf.random.normal(y.shape, seed=1))
    gradients = tape.gradient(loss, variables)
    names = [variable.name for variable in variables]
missing = [name for name, gradient in zip(names, gradients, strict=True) if gradient is None]
print(f"{len(missing)} of {len(names)} without a gradient:", *missing)
