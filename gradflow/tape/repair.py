"""Try the smallest repair of the variable that ``gradflow why`` follows."""

from __future__ import annotations

from collections.abc import Mapping

from gradflow.diagnose import Trial, find
from gradflow.errors import is_lack_of_memory
from gradflow.findings import Role
from gradflow.flow.attribute import Attribution
from gradflow.options import Options
from gradflow.progress import Progress
from gradflow.tape.gradient_registry import without_lookup_errors
from gradflow.tape.load.error_messages import first_line
from gradflow.tape.loaded_model import CallableModel
from gradflow.tape.replay.locate import Sightings
from gradflow.tape.replay.prove import prove
from gradflow.tape.stepped import Stepped


def repair_tried(
    stepped: Stepped, sightings: Sightings, progress: Progress
) -> tuple[Trial | None, Mapping[str, Attribution]]:
    """Try the smallest repair of the variable that is followed; None where nothing is cut on its
    way. Return the attributions too, with the way that was repaired."""
    model, attributions = stepped.model, stepped.attributions
    name = _followed(model, stepped.options)
    attribution = attributions.get(name) if name is not None else None
    if name is None or attribution is None:
        return None, attributions
    # Of a loop only the run tells how many trips it makes, and so which cuts are met.
    is_cut = attribution.cuts_to_restore or any(
        sighting.cuts_to_restore for sighting in sightings.get(name, ())
    )
    if not is_cut:
        return None, attributions
    progress("replay")
    try:
        traced = model.trace(stepped.batch) if stepped.traced is None else stepped.traced
        trial, repaired = without_lookup_errors(
            lambda: prove(
                model,
                traced,
                stepped.batch,
                stepped.options,
                graph=stepped.graph,
                attributions=attributions,
                name=name,
            ),
            model.lost_gradients,
        )
    except Exception as error:  # TensorFlow and the model's code can raise anything
        if is_lack_of_memory(error):
            raise MemoryError from error
        obstacle = f"the step cannot be run op by op: {first_line(error)}"
        return Trial(obstacle=obstacle), attributions
    return trial, {**attributions, name: repaired}


def _followed(model: CallableModel, options: Options) -> str | None:
    """Return the full name of the weight that is followed to the output."""
    if options.why is None:
        return None
    name = find(options.why, [item.stored.name for item in model.watched])
    weights = {item.stored.name for item in model.watched if item.stored.role is Role.WEIGHT}
    return name if name in weights else None
