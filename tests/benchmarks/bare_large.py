"""What one would write without gradflow: load a model, one tape step, print the variables without a
gradient."""

import sys

import tensorflow as tf

path = sys.argv[1]
ids = tf.random.uniform([4, 16], 0, 1000, tf.int32, seed=0)
if path.endswith((".keras", ".h5")):
    import keras

    model = keras.models.load_model(path, compile=False)
    variables = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape() as tape:
        y = model(ids, training=True)
        loss = tf.reduce_sum(y * tf.random.normal(y.shape, seed=1))
else:
    loaded = tf.saved_model.load(path)
    call = loaded.signatures["serving_default"]
    [name] = call.structured_input_signature[1]
    variables = call.trainable_variables
    with tf.GradientTape() as tape:
        [y] = call(**{name: ids}).values()
        loss = tf.reduce_sum(y * tf.random.normal(y.shape, seed=1))
gradients = tape.gradient(loss, variables)
missing = [variable.name for variable, one in zip(variables, gradients, strict=True) if one is None]
print(f"{len(missing)} of {len(variables)} without a gradient:", *missing)
